/* A program that does nothing but call functions, for tracers of user programs: calls.c LOOPS. */
#include <stdlib.h>

static volatile unsigned long result;

__attribute__((noinline)) static unsigned long leaf(unsigned long x)
{
    return x * 2862933555777941757UL + 3037000493UL;
}

__attribute__((noinline)) static unsigned long middle(unsigned long x)
{
    for (unsigned long left = x >> 61; left--;)
        x = leaf(x);
    return leaf(x);
}

__attribute__((noinline)) static unsigned long top(unsigned long x)
{
    return x & 16 ? middle(x) : middle(leaf(x));
}

int main(int argc, char **argv)
{
    unsigned long loops = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, x = 1;

    while (loops--)
        x = top(x);
    result = x;
    return 0;
}
