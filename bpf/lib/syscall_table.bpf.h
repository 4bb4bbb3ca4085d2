/* Which system calls touch files, and where their arguments are: tables for x86-64, i386 callers and arm64.
 *
 * Source: arch/x86/entry/syscalls/syscall_{64,32}.tbl and include/uapi/asm-generic/unistd.h of 7.2; a number is never
 * given twice, so older kernels have a part of these.
 */
#ifndef AA_SYSCALL_TABLE_BPF_H
#define AA_SYSCALL_TABLE_BPF_H

#include <linux/types.h>

#define AA_NUMBERS 512

/* What to do with a call. */
#define AA_SHAPE_OPEN 1     /* returns a descriptor */
#define AA_SHAPE_OPEN_HOW 2 /* the same, flags and mode in memory */
#define AA_SHAPE_MOVE 3     /* bytes through a descriptor */
#define AA_SHAPE_COPY 4     /* bytes from a descriptor to another */
#define AA_SHAPE_MAP 5      /* maps a descriptor */
#define AA_SHAPE_MAP_OLD 6  /* the same, arguments in memory */
#define AA_SHAPE_PROTECT 7  /* an address */
#define AA_SHAPE_CLOSE 8    /* gives a descriptor up */
#define AA_SHAPE_NAME 9     /* one name */
#define AA_SHAPE_NAMES 10   /* two names */
#define AA_SHAPE_OBJECT 11  /* changes what a descriptor refers to */

/* Arguments beyond the six of a call. */
#define AA_ARG_CWD 6  /* AT_FDCWD */
#define AA_ARG_NONE 7 /* 0 */

/* Which argument is what. */
struct aa_call {
  __u8 shape;
  __u8 op;
  __u8 dirfd;
  __u8 path;
  __u8 dirfd2;
  __u8 path2;
  __u8 fd;
  __u8 fd2;
  __u8 flags;
  __u8 mode;
};

#define AA_CALL_OPEN 1
#define AA_CALL_CREAT 2
#define AA_CALL_OPENAT 3
#define AA_CALL_OPENAT2 4
#define AA_CALL_OPEN_HANDLE 5
#define AA_CALL_READ 6
#define AA_CALL_WRITE 7
#define AA_CALL_SENDFILE 8
#define AA_CALL_SPLICE 9
#define AA_CALL_MMAP 10
#define AA_CALL_MMAP_OLD 11
#define AA_CALL_MPROTECT 12
#define AA_CALL_CLOSE 13
#define AA_CALL_DUP_OVER 14
#define AA_CALL_UNLINK 15
#define AA_CALL_UNLINKAT 16
#define AA_CALL_RMDIR 17
#define AA_CALL_MKDIR 18
#define AA_CALL_MKDIRAT 19
#define AA_CALL_MKNOD 20
#define AA_CALL_MKNODAT 21
#define AA_CALL_RENAME 22
#define AA_CALL_RENAMEAT 23
#define AA_CALL_RENAMEAT2 24
#define AA_CALL_LINK 25
#define AA_CALL_LINKAT 26
#define AA_CALL_SYMLINK 27
#define AA_CALL_SYMLINKAT 28
#define AA_CALL_TRUNCATE 29
#define AA_CALL_CHMOD 30
#define AA_CALL_FCHMODAT 31
#define AA_CALL_CHOWN 32
#define AA_CALL_FCHOWNAT 33
#define AA_CALL_FTRUNCATE 34
#define AA_CALL_FALLOCATE 35
#define AA_CALL_FCHMOD 36
#define AA_CALL_FCHOWN 37
#define AA_CALLS 64

/* shape, op, dirfd, path, dirfd2, path2, fd, fd2, flags, mode */
static const volatile struct aa_call aa_calls[AA_CALLS] = {
    [AA_CALL_OPEN] = {AA_SHAPE_OPEN, AA_OP_OPEN, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE, 1,
                      2},
    [AA_CALL_CREAT] = {AA_SHAPE_OPEN, AA_OP_OPEN, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, 1},
    [AA_CALL_OPENAT] = {AA_SHAPE_OPEN, AA_OP_OPEN, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE, 2, 3},
    [AA_CALL_OPENAT2] = {AA_SHAPE_OPEN_HOW, AA_OP_OPEN, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE, 2,
                         AA_ARG_NONE},
    [AA_CALL_OPEN_HANDLE] = {AA_SHAPE_OPEN, AA_OP_OPEN, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE,
                             AA_ARG_NONE, 2, AA_ARG_NONE},
    [AA_CALL_READ] = {AA_SHAPE_MOVE, AA_OP_READ, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, AA_ARG_NONE,
                      AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_WRITE] = {AA_SHAPE_MOVE, AA_OP_WRITE, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, AA_ARG_NONE,
                       AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_SENDFILE] = {AA_SHAPE_COPY, AA_OP_READ, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 1, 0,
                          AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_SPLICE] = {AA_SHAPE_COPY, AA_OP_READ, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, 2, AA_ARG_NONE,
                        AA_ARG_NONE},
    [AA_CALL_MMAP] = {AA_SHAPE_MAP, AA_OP_MMAP, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 4, AA_ARG_NONE, 2, 3},
    [AA_CALL_MMAP_OLD] = {AA_SHAPE_MAP_OLD, AA_OP_MMAP, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0,
                          AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_MPROTECT] = {AA_SHAPE_PROTECT, AA_OP_MPROTECT, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0,
                          AA_ARG_NONE, 2, AA_ARG_NONE},
    [AA_CALL_CLOSE] = {AA_SHAPE_CLOSE, AA_OP_OPEN, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, AA_ARG_NONE,
                       AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_DUP_OVER] = {AA_SHAPE_CLOSE, AA_OP_OPEN, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 1, AA_ARG_NONE,
                          AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_UNLINK] = {AA_SHAPE_NAME, AA_OP_UNLINK, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                        AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_UNLINKAT] = {AA_SHAPE_NAME, AA_OP_UNLINK, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE, 2,
                          AA_ARG_NONE},
    [AA_CALL_RMDIR] = {AA_SHAPE_NAME, AA_OP_RMDIR, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_MKDIR] = {AA_SHAPE_NAME, AA_OP_MKDIR, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, 1},
    [AA_CALL_MKDIRAT] = {AA_SHAPE_NAME, AA_OP_MKDIR, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                         AA_ARG_NONE, 2},
    [AA_CALL_MKNOD] = {AA_SHAPE_NAME, AA_OP_MKNOD, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, 1},
    [AA_CALL_MKNODAT] = {AA_SHAPE_NAME, AA_OP_MKNOD, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                         AA_ARG_NONE, 2},
    [AA_CALL_RENAME] = {AA_SHAPE_NAMES, AA_OP_RENAME, AA_ARG_CWD, 0, AA_ARG_CWD, 1, AA_ARG_NONE, AA_ARG_NONE,
                        AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_RENAMEAT] = {AA_SHAPE_NAMES, AA_OP_RENAME, 0, 1, 2, 3, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_RENAMEAT2] = {AA_SHAPE_NAMES, AA_OP_RENAME, 0, 1, 2, 3, AA_ARG_NONE, AA_ARG_NONE, 4, AA_ARG_NONE},
    [AA_CALL_LINK] = {AA_SHAPE_NAMES, AA_OP_LINK, AA_ARG_CWD, 0, AA_ARG_CWD, 1, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                      AA_ARG_NONE},
    [AA_CALL_LINKAT] = {AA_SHAPE_NAMES, AA_OP_LINK, 0, 1, 2, 3, AA_ARG_NONE, AA_ARG_NONE, 4, AA_ARG_NONE},
    [AA_CALL_SYMLINK] = {AA_SHAPE_NAMES, AA_OP_SYMLINK, AA_ARG_CWD, 0, AA_ARG_CWD, 1, AA_ARG_NONE, AA_ARG_NONE,
                         AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_SYMLINKAT] = {AA_SHAPE_NAMES, AA_OP_SYMLINK, AA_ARG_CWD, 0, 1, 2, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                           AA_ARG_NONE},
    [AA_CALL_TRUNCATE] = {AA_SHAPE_NAME, AA_OP_TRUNCATE, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE,
                          AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_CHMOD] = {AA_SHAPE_NAME, AA_OP_CHMOD, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, 1},
    [AA_CALL_FCHMODAT] = {AA_SHAPE_NAME, AA_OP_CHMOD, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                          AA_ARG_NONE, 2},
    [AA_CALL_CHOWN] = {AA_SHAPE_NAME, AA_OP_CHOWN, AA_ARG_CWD, 0, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                       AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_FCHOWNAT] = {AA_SHAPE_NAME, AA_OP_CHOWN, 0, 1, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE,
                          AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_FTRUNCATE] = {AA_SHAPE_OBJECT, AA_OP_TRUNCATE, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0,
                           AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_FALLOCATE] = {AA_SHAPE_OBJECT, AA_OP_WRITE, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0,
                           AA_ARG_NONE, AA_ARG_NONE, AA_ARG_NONE},
    [AA_CALL_FCHMOD] = {AA_SHAPE_OBJECT, AA_OP_CHMOD, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, AA_ARG_NONE,
                        AA_ARG_NONE, 1},
    [AA_CALL_FCHOWN] = {AA_SHAPE_OBJECT, AA_OP_CHOWN, AA_ARG_CWD, AA_ARG_NONE, AA_ARG_CWD, AA_ARG_NONE, 0, AA_ARG_NONE,
                        AA_ARG_NONE, AA_ARG_NONE},
};

#if defined(__TARGET_ARCH_x86)

static const volatile __u8 aa_numbers[AA_NUMBERS] = {
    [0] = AA_CALL_READ,       [1] = AA_CALL_WRITE,         [2] = AA_CALL_OPEN,        [3] = AA_CALL_CLOSE,
    [9] = AA_CALL_MMAP,       [10] = AA_CALL_MPROTECT,     [17] = AA_CALL_READ,       [18] = AA_CALL_WRITE,
    [19] = AA_CALL_READ,      [20] = AA_CALL_WRITE,        [33] = AA_CALL_DUP_OVER,   [40] = AA_CALL_SENDFILE,
    [76] = AA_CALL_TRUNCATE,  [77] = AA_CALL_FTRUNCATE,    [82] = AA_CALL_RENAME,     [83] = AA_CALL_MKDIR,
    [84] = AA_CALL_RMDIR,     [85] = AA_CALL_CREAT,        [86] = AA_CALL_LINK,       [87] = AA_CALL_UNLINK,
    [88] = AA_CALL_SYMLINK,   [90] = AA_CALL_CHMOD,        [91] = AA_CALL_FCHMOD,     [92] = AA_CALL_CHOWN,
    [93] = AA_CALL_FCHOWN,    [94] = AA_CALL_CHOWN,        [133] = AA_CALL_MKNOD,     [257] = AA_CALL_OPENAT,
    [258] = AA_CALL_MKDIRAT,  [259] = AA_CALL_MKNODAT,     [260] = AA_CALL_FCHOWNAT,  [263] = AA_CALL_UNLINKAT,
    [264] = AA_CALL_RENAMEAT, [265] = AA_CALL_LINKAT,      [266] = AA_CALL_SYMLINKAT, [268] = AA_CALL_FCHMODAT,
    [275] = AA_CALL_SPLICE,   [285] = AA_CALL_FALLOCATE,   [292] = AA_CALL_DUP_OVER,  [295] = AA_CALL_READ,
    [296] = AA_CALL_WRITE,    [304] = AA_CALL_OPEN_HANDLE, [316] = AA_CALL_RENAMEAT2, [326] = AA_CALL_SPLICE,
    [327] = AA_CALL_READ,     [328] = AA_CALL_WRITE,       [329] = AA_CALL_MPROTECT,  [437] = AA_CALL_OPENAT2,
    [452] = AA_CALL_FCHMODAT,
};

static const volatile __u8 aa_numbers_compat[AA_NUMBERS] = {
    [3] = AA_CALL_READ,          [4] = AA_CALL_WRITE,       [5] = AA_CALL_OPEN,       [6] = AA_CALL_CLOSE,
    [8] = AA_CALL_CREAT,         [9] = AA_CALL_LINK,        [10] = AA_CALL_UNLINK,    [14] = AA_CALL_MKNOD,
    [15] = AA_CALL_CHMOD,        [16] = AA_CALL_CHOWN,      [38] = AA_CALL_RENAME,    [39] = AA_CALL_MKDIR,
    [40] = AA_CALL_RMDIR,        [63] = AA_CALL_DUP_OVER,   [83] = AA_CALL_SYMLINK,   [90] = AA_CALL_MMAP_OLD,
    [92] = AA_CALL_TRUNCATE,     [93] = AA_CALL_FTRUNCATE,  [94] = AA_CALL_FCHMOD,    [95] = AA_CALL_FCHOWN,
    [125] = AA_CALL_MPROTECT,    [145] = AA_CALL_READ,      [146] = AA_CALL_WRITE,    [180] = AA_CALL_READ,
    [181] = AA_CALL_WRITE,       [182] = AA_CALL_CHOWN,     [187] = AA_CALL_SENDFILE, [192] = AA_CALL_MMAP,
    [193] = AA_CALL_TRUNCATE,    [194] = AA_CALL_FTRUNCATE, [198] = AA_CALL_CHOWN,    [207] = AA_CALL_FCHOWN,
    [212] = AA_CALL_CHOWN,       [239] = AA_CALL_SENDFILE,  [295] = AA_CALL_OPENAT,   [296] = AA_CALL_MKDIRAT,
    [297] = AA_CALL_MKNODAT,     [298] = AA_CALL_FCHOWNAT,  [301] = AA_CALL_UNLINKAT, [302] = AA_CALL_RENAMEAT,
    [303] = AA_CALL_LINKAT,      [304] = AA_CALL_SYMLINKAT, [306] = AA_CALL_FCHMODAT, [313] = AA_CALL_SPLICE,
    [324] = AA_CALL_FALLOCATE,   [330] = AA_CALL_DUP_OVER,  [333] = AA_CALL_READ,     [334] = AA_CALL_WRITE,
    [342] = AA_CALL_OPEN_HANDLE, [353] = AA_CALL_RENAMEAT2, [377] = AA_CALL_SPLICE,   [378] = AA_CALL_READ,
    [379] = AA_CALL_WRITE,       [380] = AA_CALL_MPROTECT,  [437] = AA_CALL_OPENAT2,  [452] = AA_CALL_FCHMODAT,
};

#elif defined(__TARGET_ARCH_arm64)

static const volatile __u8 aa_numbers[AA_NUMBERS] = {
    [24] = AA_CALL_DUP_OVER,     [33] = AA_CALL_MKNODAT,    [34] = AA_CALL_MKDIRAT,  [35] = AA_CALL_UNLINKAT,
    [36] = AA_CALL_SYMLINKAT,    [37] = AA_CALL_LINKAT,     [38] = AA_CALL_RENAMEAT, [45] = AA_CALL_TRUNCATE,
    [46] = AA_CALL_FTRUNCATE,    [47] = AA_CALL_FALLOCATE,  [52] = AA_CALL_FCHMOD,   [53] = AA_CALL_FCHMODAT,
    [54] = AA_CALL_FCHOWNAT,     [55] = AA_CALL_FCHOWN,     [56] = AA_CALL_OPENAT,   [57] = AA_CALL_CLOSE,
    [63] = AA_CALL_READ,         [64] = AA_CALL_WRITE,      [65] = AA_CALL_READ,     [66] = AA_CALL_WRITE,
    [67] = AA_CALL_READ,         [68] = AA_CALL_WRITE,      [69] = AA_CALL_READ,     [70] = AA_CALL_WRITE,
    [71] = AA_CALL_SENDFILE,     [76] = AA_CALL_SPLICE,     [222] = AA_CALL_MMAP,    [226] = AA_CALL_MPROTECT,
    [265] = AA_CALL_OPEN_HANDLE, [276] = AA_CALL_RENAMEAT2, [285] = AA_CALL_SPLICE,  [286] = AA_CALL_READ,
    [287] = AA_CALL_WRITE,       [288] = AA_CALL_MPROTECT,  [437] = AA_CALL_OPENAT2, [452] = AA_CALL_FCHMODAT,
};

/* 32-bit callers have other numbers, which are not here. */
static const volatile __u8 aa_numbers_compat[AA_NUMBERS] = {};

#else
#error "add this architecture's numbers"
#endif

#endif
