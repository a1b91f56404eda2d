/* Functions inlined with their arguments in every place where arguments can be. See build.sh. */
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noipa))

struct bio {
	long sector;
	struct bio *next;
};

struct queue {
	long number;
	struct bio first;
	long count;
};

NOINLINE void hold(void *object, long count)
{
	asm volatile("nop" : : "r"(object), "r"(count) : "memory");
}

/* Has no copy of its own. */
INLINE void account(const struct bio *bio, long amount)
{
	asm volatile("nop # %0 %1" : : "r"(bio), "r"(amount) : "memory");
}

/* Is inlined, with another one in it, and has a copy of its own as well. */
static inline void queue_add(struct queue *queue, struct bio *bio)
{
	bio->next = queue->first.next;
	account(bio, queue->count);
	queue->first.next = bio;
}

void in_registers(long unused, struct bio *bio, long amount)
{
	account(bio, amount);
	hold(bio, amount);
}

void a_constant(struct bio *bio)
{
	account(bio, -7);
}

void part_of_another(struct queue *queue)
{
	account(&queue->first, 3);
	hold(queue, 1);
}

/* There is no register left for them. */
void in_memory(struct bio *bio, long amount)
{
	hold(bio, amount);
	asm volatile("nop" : : : "rbx", "rbp", "r12", "r13", "r14", "r15", "memory");
	account(bio, amount);
	hold(bio, amount);
}

void nested(struct queue *queue, struct bio *bio)
{
	hold(queue, 2);
	queue_add(queue, bio);
	hold(bio, 2);
}

void (*adder)(struct queue *, struct bio *) = queue_add;

NOINLINE long twice(struct queue *queue, struct bio *bio)
{
	if (__builtin_expect(queue->number, 0)) {
		hold(bio, 3);
		account(bio, queue->count);
	}
	return queue->number;
}

NOINLINE __attribute__((cold)) void complain(struct queue *queue)
{
	asm volatile("nop" : : "r"(queue) : "memory");
}

INLINE void settle(struct queue *queue)
{
	if (queue->number < 0)
		complain(queue);
	queue->number--;
}

/* The body of the inlined function is in two places, of which one is far away. */
void divided(struct queue *queue)
{
	hold(queue, 4);
	settle(queue);
	hold(queue, 4);
}

void __attribute__((section(".init.text"))) start(struct bio *bio)
{
	account(bio, 5);
	hold(bio, 5);
}
