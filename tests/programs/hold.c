/* hold [CODE]: lives until its standard input closes. */
#include "say.h"

int main(int argc, char** argv) {
  char byte;
  say("holding %d", getpid());
  while (read(0, &byte, 1) > 0) {
  }
  return argc > 1 ? atoi(argv[1]) : 0;
}
