#include <stdio.h>

int main(void)
{
    puts("fakesift");
    return 0;
}
