#include "probe/identifier.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/file_text.h"
#include "base/patience.h"
#include "base/quiet_thread.h"
#include "base/unique_fd.h"
#include "probe/build_id.h"

namespace aa {
namespace {

constexpr std::size_t kQueueMost = 1024;
constexpr std::size_t kCacheMost = 4096;
constexpr const char* kFolders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

// Leaves no trace where that is allowed.
UniqueFd open_quietly(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd(::open(path.c_str(), kFlags | O_NOATIME));
  if (!fd && errno == EPERM) fd.reset(::open(path.c_str(), kFlags));
  return fd;
}

// The kernel's own pair; a file system with devices of its own may show another one.
bool is_file_of(const struct stat& status, const IdentifyPlan& plan) {
  return status.st_ino == plan.ino && status.st_dev == ::makedev(plan.dev >> 20, plan.dev & 0xFFFFF);
}

struct Opened {
  UniqueFd file;  // none: it could not be read
  struct stat status {};
};

// The file that the process ran, and nothing else: by the process while it lives and runs it, else by its path.
Opened open_program(const IdentifyPlan& plan) {
  Opened opened;
  const std::string exe = "/proc/" + std::to_string(plan.process.pid) + "/exe";
  if (UniqueFd fd = open_quietly(exe); fd && ::fstat(fd.get(), &opened.status) == 0 && S_ISREG(opened.status.st_mode)) {
    if (is_file_of(opened.status, plan) || link_text(exe) == plan.exe) opened.file = std::move(fd);
  }
  if (opened.file) return opened;
  const UniqueFd found(::open(plan.exe.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  if (!found || ::fstat(found.get(), &opened.status) != 0) return opened;
  if (S_ISREG(opened.status.st_mode) && is_file_of(opened.status, plan)) opened.file = open_quietly(link_to(found));
  return opened;
}

}  // namespace

struct Identifier::Work {
  // Both sides.
  std::mutex mutex;
  std::condition_variable news;
  std::condition_variable over;
  std::deque<IdentifyPlan> queue;
  std::vector<Identified> answers;
  Counts counts;
  UniqueFd answered;
  std::atomic<bool> ending = false;
  bool ended = false;

  // The thread's own.
  using FileVersion = std::tuple<dev_t, ino_t, std::int64_t, std::int64_t, off_t>;  // changed when its content is
  ProgramBook book{shipped_detect_table()};
  std::map<FileVersion, std::string> ids;
  Patience patience;

  void run();
  std::optional<std::string> id_of(const std::shared_ptr<const Opened>& program);
  bool carry_out(const IdentifyPlan& plan, std::string& program);
};

// nullopt: nobody answers for it.
std::optional<std::string> Identifier::Work::id_of(const std::shared_ptr<const Opened>& program) {
  const struct stat& status = program->status;
  const std::int64_t seconds = status.st_ctim.tv_sec, rest = status.st_ctim.tv_nsec;
  const FileVersion version{status.st_dev, status.st_ino, seconds, rest, status.st_size};
  if (const auto known = ids.find(version); known != ids.end()) return known->second;
  if (ids.size() >= kCacheMost) ids.clear();
  auto id = patience.ask([program] { return read_build_id(program->file.get()); });
  if (id) ids[version] = *id;
  return id;
}

// False: the file could not be read. What anybody but root may change teaches nothing.
bool Identifier::Work::carry_out(const IdentifyPlan& plan, std::string& program) {
  auto opened = patience.ask([plan] { return open_program(plan); });
  if (!opened || !opened->file) return false;
  const auto shared = std::make_shared<const Opened>(std::move(*opened));
  const std::optional<std::string> found = id_of(shared);
  if (!found) return false;
  const std::string& id = *found;
  const struct stat& status = shared->status;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const bool roots_own = status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (plan.learn_as.empty())
    program = book.program_of(id, size);
  else if (roots_own && !id.empty())
    book.learn(id, size, plan.learn_as);
  return true;
}

void Identifier::Work::run() {
  for (const char* folder : kFolders) {
    if (!ending) book.learn_folder(folder);
  }
  std::unique_lock lock(mutex);
  for (;;) {
    news.wait(lock, [this] { return ending || !queue.empty(); });
    if (ending) break;
    const IdentifyPlan plan = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    std::string program;
    const bool read = carry_out(plan, program);
    lock.lock();
    if (!read) ++counts.unreadable;
    if (program.empty()) continue;
    answers.push_back({plan.process, plan.image, std::move(program)});
    const std::uint64_t one = 1;
    (void)!::write(answered.get(), &one, sizeof(one));
  }
  ended = true;
  over.notify_all();
}

Result<std::unique_ptr<Identifier>> Identifier::make() {
  auto work = std::make_shared<Work>();
  work->answered.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!work->answered) return Error{"make an event descriptor", errno, ""};
  quiet_thread([work] { work->run(); }).detach();
  return std::unique_ptr<Identifier>(new Identifier(std::move(work)));
}

Identifier::~Identifier() {
  std::unique_lock lock(work_->mutex);
  work_->ending = true;
  work_->news.notify_all();
  work_->over.wait_for(lock, std::chrono::seconds(1), [this] { return work_->ended; });
}

void Identifier::ask(const IdentifyPlan& plan) {
  const std::lock_guard lock(work_->mutex);
  if (work_->queue.size() >= kQueueMost) {
    ++work_->counts.dropped;
    return;
  }
  work_->queue.push_back(plan);
  work_->news.notify_one();
}

int Identifier::fd() const {
  return work_->answered.get();
}

std::vector<Identified> Identifier::take() {
  std::uint64_t count = 0;
  (void)!::read(work_->answered.get(), &count, sizeof(count));
  const std::lock_guard lock(work_->mutex);
  return std::exchange(work_->answers, {});
}

Identifier::Counts Identifier::counts() const {
  const std::lock_guard lock(work_->mutex);
  return work_->counts;
}

}  // namespace aa
