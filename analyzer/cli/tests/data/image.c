/* Stands for a vmlinux: three functions of the catalog, one of them inlined only. See build.sh. */
asm(".text\n.globl _stext\n_stext:\n");

const char linux_banner[] = "Linux version 6.1.0 (a small image)\n";

struct bio {
	struct bio *next;
	unsigned int opf;
	unsigned char status;
};

int submitted;

static inline __attribute__((always_inline)) void bio_endio(struct bio *bio)
{
	submitted -= bio->status;
}

__attribute__((noinline)) void submit_bio(struct bio *bio)
{
	submitted += bio->opf;
}

__attribute__((noinline)) void submit_bio_noacct(struct bio *bio)
{
	bio_endio(bio);
	bio->next = 0;
}

asm(".text\n.globl _etext\n_etext:\n");
