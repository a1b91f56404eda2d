/* Stands for a vmlinux in the tests: structures of the shapes a kernel has. See build.sh. */
typedef unsigned long long sector_t;
typedef unsigned int dev_t;

enum { BIO_CHAIN = 4, BIO_TRACE_COMPLETION = 6, BIG = 0x7fffffff };
enum state { LIVE, GOING = -2 };

struct host; /* defined by the module only */

struct disk {
	struct block_device *part0;
};

struct block_device {
	sector_t start;
	dev_t dev;
	struct disk *disk;
};

struct bio {
	struct bio *next;
	struct block_device *bdev;
	struct {
		sector_t sector;
		unsigned int size;
	} iter;
	union {
		struct {
			const volatile short depth;
			unsigned char status;
		};
		long raw;
	};
	unsigned int low : 3;
	int signed_bits : 7;
	unsigned int high : 22;
	unsigned long long wide : 40;
	enum state state;
	char comm[16];
	int table[2][3];
	struct block_device parts[4];
	struct host *host;
	void (*end_io)(struct bio *);
	void *private;
	long double odd;
	unsigned char tail[];
};

static struct bio one;

static inline __attribute__((always_inline)) int twice(int x)
{
	volatile int y = x + (int)one.low;
	return y * 2;
}

int submit(struct bio *bio)
{
	bio->state = GOING;
	return twice(bio->table[1][2]);
}

int chained(int flags)
{
	return flags & BIO_CHAIN ? BIO_TRACE_COMPLETION : BIG;
}
