/* Exports what a TLS library does, though it moves no bytes. Each function takes room on its stack before its first
 * instruction that the kernel carries out itself, as a compiler may have it. It holds an object twice, lets go of it
 * once, and says something before and after. */
#include <stdio.h>

#if defined(__x86_64__)
#define FUNCTION(name, answer)                                                                                   \
  __asm__(".globl " #name "\n.type " #name ", @function\n" #name                                                 \
          ":\n sub $8, %rsp\n push %rbx\n pop %rbx\n add $8, %rsp\n " answer "\n ret\n.size " #name ", .-" #name \
          "\n");

FUNCTION(SSL_new, "mov %rdi, %rax")
FUNCTION(SSL_up_ref, "mov $1, %eax")
FUNCTION(SSL_free, "")
FUNCTION(SSL_clear, "mov $1, %eax")
FUNCTION(SSL_read, "mov $0, %eax")
FUNCTION(SSL_write, "mov %edx, %eax")

void* SSL_new(void* of);
int SSL_up_ref(void* object);
void SSL_free(void* object);
int SSL_write(void* object, const char* text, int length);

int main(void) {
  static char made;
  char before[] = "before", after[] = "after";
  void* object = SSL_new(&made);
  SSL_write(object, before, 6);
  SSL_up_ref(object);
  SSL_free(object);
  SSL_write(object, after, 5);
  SSL_free(object);
  puts("said");
  return 0;
}
#else
int main(void) {
  return 77;
}
#endif
