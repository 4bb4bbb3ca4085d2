#include "sink/jsonl.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace aa {
namespace {

constexpr int kRoomPollMs = 100;

}  // namespace

Result<std::unique_ptr<JsonlSink>> JsonlSink::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file) return Error{"open " + path, errno, "jsonl.path must name a file in a directory that exists"};
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{"open " + path, 0, "jsonl.path must be a regular file"};
  return over(std::move(file));
}

Result<std::unique_ptr<JsonlSink>> JsonlSink::over(UniqueFd file) {
  std::unique_ptr<JsonlSink> sink(new JsonlSink(std::move(file)));
  if (Status started = sink->start(); !started) return started.error();
  return sink;
}

Status JsonlSink::start() {
  struct stat status {};
  regular_ = ::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode);
  ack_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ack_) return Error{"make an event descriptor", errno, ""};
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the loop's
  writer_ = std::thread([this] { write_batches(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return Done{};
}

JsonlSink::~JsonlSink() {
  seal(acknowledged_);
  {
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, std::chrono::seconds(2), [this] { return queue_.empty() && !busy_; });
    ending_ = true;
    for (const Batch& batch : queue_) counts_.stalled += batch.events;
    queue_.clear();
  }
  work_.notify_one();
  writer_.join();
}

void JsonlSink::take(const Event&, const Line& line) {
  if (!line) return;
  open_.text += *line;
  ++open_.events;
}

void JsonlSink::seal(std::uint64_t position) {
  const std::lock_guard lock(mutex_);
  if (open_.events == 0 && position == acknowledged_) return;
  open_.position = position;
  queue_.push_back(std::move(open_));
  open_ = {};
  work_.notify_one();
}

std::uint64_t JsonlSink::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

void JsonlSink::clear_ack() {
  std::uint64_t count = 0;
  (void)!::read(ack_.get(), &count, sizeof(count));
}

std::uint64_t JsonlSink::drop_waiting() {
  const std::lock_guard lock(mutex_);
  std::uint64_t dropped = 0;
  for (const Batch& batch : queue_) {
    dropped += batch.events;
    acknowledged_ = std::max(acknowledged_, batch.position);
  }
  queue_.clear();
  counts_.stalled += dropped;
  return dropped;
}

JsonlSink::Counts JsonlSink::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

// A pipe's reader may never come back: before each piece wait until the pipe takes one, but not past our own end.
bool JsonlSink::wait_for_room() const {
  pollfd poll{file_.get(), POLLOUT, 0};
  while (::poll(&poll, 1, kRoomPollMs) <= 0)
    if (ending_) return false;
  return true;
}

bool JsonlSink::write_whole(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    if (!regular_ && !wait_for_room()) return false;
    const std::size_t piece = regular_ ? text.size() - at : std::min<std::size_t>(text.size() - at, PIPE_BUF);
    const ssize_t length = ::write(file_.get(), text.data() + at, piece);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) {
      torn_ = at > 0 && text[at - 1] != '\n';
      return false;
    }
    at += static_cast<std::size_t>(length);
  }
  torn_ = false;
  return true;
}

void JsonlSink::write_batches() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    if (torn_) batch.text.insert(0, 1, '\n');
    const bool written = write_whole(batch.text);
    lock.lock();
    busy_ = false;
    (written ? counts_.written : counts_.write_errors) += batch.events;
    acknowledged_ = std::max(acknowledged_, batch.position);
    const std::uint64_t one = 1;
    (void)!::write(ack_.get(), &one, sizeof(one));
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace aa
