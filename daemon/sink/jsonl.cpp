#include "sink/jsonl.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/quiet_thread.h"
#include "event/json.h"

namespace aa {
namespace {

constexpr int kRoomPollMs = 100;

}  // namespace

Result<std::unique_ptr<JsonlSink>> JsonlSink::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file)
    return Error{"open " + path, errno,
                 "jsonl.path must name a regular file, no symbolic link, in a directory that exists"};
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
  writer_ = quiet_thread([this] { write_batches(); });
  return Done{};
}

JsonlSink::~JsonlSink() {
  seal(acknowledged_);
  {
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, std::chrono::seconds(2), [this] { return queue_.empty() && !busy_; });
    ending_ = true;
    for (const Batch& batch : queue_) lose(counts_.stalled, dropped_, batch, batch.events);
    queue_.clear();
  }
  work_.notify_one();
  writer_.join();
}

void JsonlSink::take(const Event& event, const Line& line) {
  const auto* loss = std::get_if<LossBody>(&event.body);
  if (!line || (loss != nullptr && loss->family == "jsonl")) return;  // its own losses it tells itself, in their place
  open_.text += *line;
  if (open_.events++ == 0) open_.first_boot_ns = event.boot_ns;
  open_.last_boot_ns = event.boot_ns;
  open_.last_seq = event.seq;
  open_.last_wall_ns = event.wall_ns;
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

void JsonlSink::drop_waiting() {
  const std::lock_guard lock(mutex_);
  for (const Batch& batch : queue_) {
    lose(counts_.stalled, dropped_, batch, batch.events);
    acknowledged_ = std::max(acknowledged_, batch.position);
  }
  queue_.clear();
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

std::size_t JsonlSink::write_out(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!regular_ && !wait_for_room()) break;
    const std::size_t piece = regular_ ? text.size() - at : std::min<std::size_t>(text.size() - at, PIPE_BUF);
    const ssize_t length = ::write(file_.get(), text.data() + at, piece);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) break;
    at += static_cast<std::size_t>(length);
  }
  if (at > 0) torn_ = false;
  if (at < text.size()) take_back_half_line(std::string_view(text).substr(0, at));
  return at;
}

void JsonlSink::take_back_half_line(std::string_view written) {
  const std::size_t newline = written.rfind('\n');
  const std::size_t half = newline == std::string_view::npos ? written.size() : written.size() - newline - 1;
  if (half == 0) return;
  struct stat status {};
  const bool taken_back = regular_ && ::fstat(file_.get(), &status) == 0 &&
                          status.st_size >= static_cast<off_t>(half) &&
                          ::ftruncate(file_.get(), status.st_size - static_cast<off_t>(half)) == 0;
  torn_ = !taken_back;
}

std::string JsonlSink::words_about_losses() const {
  std::string words;
  for (const Untold* untold : {&unwritten_, &dropped_}) {
    if (untold->loss.count == 0) continue;
    Event event;
    event.seq = untold->seq;  // the last one that is missing
    event.boot_ns = untold->loss.last_boot_ns;
    event.wall_ns = untold->wall_ns;
    event.body = untold->loss;
    words += to_json(event) + '\n';
  }
  return words;
}

void JsonlSink::lose(LossBody& total, Untold& untold, const Batch& batch, std::uint64_t events) {
  if (events == 0) return;
  for (LossBody* loss : {&total, &untold.loss}) {
    if (loss->count == 0) loss->first_boot_ns = batch.first_boot_ns;
    loss->last_boot_ns = batch.last_boot_ns;
    loss->count += events;
  }
  untold.seq = batch.last_seq;
  untold.wall_ns = batch.last_wall_ns;
}

// `preface` bytes stood before the batch's own lines, `written` bytes of both together are in the file.
void JsonlSink::settle(const Batch& batch, std::size_t preface, std::size_t written, std::uint64_t told_dropped) {
  std::uint64_t lines = batch.events;
  if (written < preface + batch.text.size()) {
    const std::size_t own = written > preface ? written - preface : 0;
    lines = static_cast<std::uint64_t>(
        std::count(batch.text.begin(), batch.text.begin() + static_cast<std::ptrdiff_t>(own), '\n'));
  }
  if (written >= preface && batch.events > 0) {
    unwritten_.loss.count = 0;
    dropped_.loss.count -= told_dropped;
  }
  counts_.written += lines;
  lose(counts_.write_errors, unwritten_, batch, batch.events - lines);
  acknowledged_ = std::max(acknowledged_, batch.position);
}

void JsonlSink::write_batches() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Batch batch = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    const std::uint64_t told = dropped_.loss.count;  // more may be dropped while we write
    const std::string preface = (torn_ ? "\n" : "") + (batch.events == 0 ? "" : words_about_losses());
    lock.unlock();
    const std::size_t written = write_out(preface + batch.text);
    lock.lock();
    busy_ = false;
    settle(batch, preface.size(), written, told);
    const std::uint64_t one = 1;
    (void)!::write(ack_.get(), &one, sizeof(one));
    if (queue_.empty()) idle_.notify_all();
  }
}

}  // namespace aa
