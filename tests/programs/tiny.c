/* tiny [CODE]: the least a program can do. Static. */
#include <stdlib.h>

int main(int argc, char** argv) {
  return argc > 1 ? atoi(argv[1]) : 0;
}
