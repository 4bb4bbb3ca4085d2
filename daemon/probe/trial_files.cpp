#include "probe/trial_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace aa {
namespace {

constexpr mode_t kOwn = 0600;
constexpr long kFchmodat2 = 452;  // on all machines; Debian 12's headers do not know it

void move_bytes(int from, int to) {
  std::array<char, 64> bytes{};
  iovec part{bytes.data(), bytes.size()};
  off_t begin = 0;
  std::array<int, 2> pipe{};
  (void)!::write(from, bytes.data(), bytes.size());
  (void)!::pwritev(from, &part, 1, 0);
  (void)!::pread(from, bytes.data(), bytes.size(), 0);
  (void)!::preadv(from, &part, 1, 0);
  (void)!::copy_file_range(from, &begin, to, nullptr, bytes.size(), 0);
  begin = 0;
  (void)!::sendfile(to, from, &begin, bytes.size());
  begin = 0;
  if (::pipe2(pipe.data(), O_CLOEXEC) == 0) (void)!::splice(from, &begin, pipe[1], nullptr, bytes.size(), 0);
}

void change_open(int fd) {
  constexpr std::size_t kPage = 4096;
  (void)!::ftruncate(fd, kPage);
  (void)::fchmod(fd, kOwn);
  (void)!::fchown(fd, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
  void* mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return;
  ::mprotect(mapped, kPage, PROT_READ | PROT_WRITE);
  ::munmap(mapped, kPage);
}

void open_by_handle(const char* name, int mount) {
  struct {
    file_handle head{};
    std::array<unsigned char, MAX_HANDLE_SZ> bytes{};
  } handle;
  int mount_id = 0;
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  if (::name_to_handle_at(AT_FDCWD, name, &handle.head, &mount_id, 0) != 0) return;
  if (const int fd = ::open_by_handle_at(mount, &handle.head, O_RDONLY | O_CLOEXEC); fd >= 0) ::close(fd);
}

void change_named(const char* name) {
  (void)::chmod(name, kOwn);
  (void)::fchmodat(AT_FDCWD, name, kOwn, 0);  // on some kernels each has the function behind them to itself
  (void)::syscall(kFchmodat2, AT_FDCWD, name, kOwn, 0);
  (void)!::chown(name, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
  (void)!::truncate(name, 1);
  (void)!::link(name, "link");
  (void)!::symlink(name, "symlink");
  (void)::rename("link", "renamed");
  (void)::mknod("pipe", S_IFIFO | kOwn, 0);
  (void)::mkdir("folder", 0700);
  (void)::rmdir("folder");
  (void)::unlink("renamed");
}

}  // namespace

TrialFolder::TrialFolder() {
  for (std::string pattern : {"/run/aa-ebpfd-self-test-XXXXXX", "/tmp/aa-ebpfd-self-test-XXXXXX"}) {
    if (::mkdtemp(pattern.data()) == nullptr) continue;
    path_ = pattern;
    return;
  }
}

TrialFolder::~TrialFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

void use_files_in(const char* folder) {
  if (::chdir(folder) != 0) return;
  const int from = ::open("from", O_RDWR | O_CREAT | O_CLOEXEC, kOwn);
  const int to = ::open("to", O_RDWR | O_CREAT | O_CLOEXEC, kOwn);
  move_bytes(from, to);
  change_open(from);
  open_by_handle("from", from);
  ::close(from);
  ::close(to);
  change_named("to");
}

}  // namespace aa
