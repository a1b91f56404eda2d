/* Numbers that follow from a seed: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
#include "truth.h"

static uint64_t state;

static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void random_begin(uint64_t seed, uint64_t number)
{
	state = seed;
	state = next() ^ number;
}

uint64_t random_below(uint64_t end)
{
	return next() % end;
}

int chance(unsigned percent)
{
	return random_below(100) < percent;
}
