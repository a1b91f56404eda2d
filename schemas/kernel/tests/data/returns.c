/* Functions that return what a kernel's return; two of one name in one file, see build.sh. */
typedef signed long ssize_t;
typedef unsigned char blk_status_t;
typedef _Bool bool;
enum merge { MERGE_OK, MERGE_NONE };
enum error { NO_ERROR, ERROR = -5 };
struct bio { int value; };
typedef struct bio *bio_pointer;
struct wide { long first, second; };

#ifdef OTHER
static __attribute__((noipa)) int twin(struct bio *bio) { return bio->value; }
static __attribute__((noipa)) int alike(struct bio *bio) { return bio->value + 1; }
int other(struct bio *bio) { return twin(bio) + alike(bio); }
#else
void in_assembly(void);

static __attribute__((noipa)) void twin(struct bio *bio) { bio->value++; }
static __attribute__((noipa)) int alike(struct bio *bio) { return bio->value; }
void nothing(struct bio *bio) { twin(bio); }
void no_parameters(void) { in_assembly(); }
int number(struct bio *bio) { return alike(bio); }
ssize_t bytes(struct bio *bio) { return bio->value; }
unsigned long word(struct bio *bio) { return bio->value; }
blk_status_t status(struct bio *bio) { return bio->value; }
short half(struct bio *bio) { return bio->value; }
enum merge merge(struct bio *bio) { return bio->value ? MERGE_OK : MERGE_NONE; }
enum error error(struct bio *bio) { return bio->value ? ERROR : NO_ERROR; }
bool truth(struct bio *bio) { return bio->value != 0; }
bio_pointer split(struct bio *bio) { return bio; }
const char *text(struct bio *bio) { return (const char *)bio; }
struct wide pair(struct bio *bio) { return (struct wide){ bio->value, 1 }; }
double fraction(struct bio *bio) { return bio->value; }
#endif
