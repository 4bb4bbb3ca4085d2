#include "sink/jsonl.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "base/trusted_open.h"
#include "event/json.h"

namespace aa {
namespace {

constexpr int kRoomPollMs = 100;

gid_t group_id(const std::string& name) {
  const group* found = ::getgrnam(name.c_str());
  return found != nullptr ? found->gr_gid : static_cast<gid_t>(std::strtoul(name.c_str(), nullptr, 10));
}

}  // namespace

Result<UniqueFd> JsonlSink::open_file(const File& file) {
  const mode_t mode = file.group.empty() ? 0600 : 0640;
  const Result<UniqueFd> folder = open_trusted_folder(folder_of(file.path));
  if (!folder && folder.error().errno_value == 0)
    return Error{"open " + file.path, 0, "its folder " + folder.error().doing};
  UniqueFd fd;
  if (folder)
    fd.reset(::openat(folder->get(), std::string(last_component(file.path)).c_str(),
                      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
  if (!fd)
    return Error{"open " + file.path, folder ? errno : folder.error().errno_value,
                 "jsonl.path must name a regular file, no symbolic link, in a directory that exists"};
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{"open " + file.path, 0, "jsonl.path must be a regular file"};
  if (status.st_uid != ::geteuid())
    return Error{"open " + file.path, 0,
                 "it belongs to the user " + std::to_string(status.st_uid) + ", who could read all of it"};
  const bool open_to_others = (status.st_mode & 0077) != 0;
  if (file.group.empty()) {
    if (open_to_others && ::fchmod(fd.get(), mode) != 0) return Error{"take " + file.path + " from others", errno, ""};
    return fd;
  }
  const gid_t gid = group_id(file.group);
  if (::fchown(fd.get(), static_cast<uid_t>(-1), gid) != 0 || ::fchmod(fd.get(), mode) != 0)
    return Error{"give " + file.path + " to the group " + file.group, errno, ""};
  return fd;
}

Result<std::unique_ptr<JsonlSink>> JsonlSink::open(File file) {
  auto fd = open_file(file);
  if (!fd) return fd.error();
  auto sink = over(std::move(*fd));
  if (sink) (*sink)->settings_ = std::move(file);
  return sink;
}

Result<std::unique_ptr<JsonlSink>> JsonlSink::over(UniqueFd file) {
  std::unique_ptr<JsonlSink> sink(new JsonlSink(std::move(file)));
  if (Status started = sink->start(); !started) return started.error();
  return sink;
}

Status JsonlSink::start() {
  struct stat status {};
  regular_ = ::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode);
  size_ = regular_ ? static_cast<std::uint64_t>(status.st_size) : 0;
  return writer_.start([this](Batch& batch) { write(batch); });
}

JsonlSink::~JsonlSink() {
  seal(sealed_);
  (void)writer_.finish();  // what is lost now nobody asks about
}

void JsonlSink::take(const Event& event, const Line& line) {
  const auto* loss = std::get_if<LossBody>(&event.body);
  if (!line || (loss != nullptr && loss->family == "jsonl")) return;  // its own losses it tells itself, in their place
  open_.text += *line;
  const bool first = open_.events++ == 0;
  open_.first_boot_ns = first ? event.boot_ns : std::min(open_.first_boot_ns, event.boot_ns);
  open_.last_boot_ns = std::max(open_.last_boot_ns, event.boot_ns);
  open_.last_seq = event.seq;
  open_.last_wall_ns = event.wall_ns;
}

void JsonlSink::seal(std::uint64_t position) {
  if (open_.events == 0 && position == sealed_) return;
  sealed_ = position;
  open_.position = position;
  writer_.put(std::exchange(open_, {}));
}

void JsonlSink::drop_waiting() {
  const auto dropped = writer_.drop_waiting();
  const std::lock_guard lock(mutex_);
  for (const Batch& batch : dropped) lose(counts_.stalled, dropped_, batch, batch.events);
}

JsonlSink::Counts JsonlSink::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

// A pipe's reader may never come back: before each piece wait until the pipe takes one, but not past our own end.
bool JsonlSink::wait_for_room() const {
  pollfd poll{file_.get(), POLLOUT, 0};
  while (::poll(&poll, 1, kRoomPollMs) <= 0)
    if (writer_.ending()) return false;
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
  for (LossBody* loss : {&total, &untold.loss}) loss->add(events, batch.first_boot_ns, batch.last_boot_ns);
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
}

void JsonlSink::write(const Batch& batch) {
  std::unique_lock lock(mutex_);
  const std::uint64_t told = dropped_.loss.count;  // more may be dropped while we write
  const std::string preface = (torn_ ? "\n" : "") + (batch.events == 0 ? "" : words_about_losses());
  lock.unlock();
  const std::size_t written = write_out(preface + batch.text);
  if (settings_.sync && written > 0) (void)::fdatasync(file_.get());
  size_ += written;
  if (settings_.max_bytes != 0 && size_ >= settings_.max_bytes) rotate();
  lock.lock();
  settle(batch, preface.size(), written, told);
}

// Between two batches: no line is divided. A file that cannot be begun anew is written on, and tried again later.
void JsonlSink::rotate() {
  const Result<UniqueFd> folder = open_trusted_folder(folder_of(settings_.path));
  if (!folder) return;
  const std::string name(last_component(settings_.path));
  const auto numbered = [&](std::uint64_t number) { return name + "." + std::to_string(number); };
  const auto put = [&](const std::string& from, const std::string& to) {
    return ::renameat(folder->get(), from.c_str(), folder->get(), to.c_str()) == 0;
  };
  for (std::uint64_t number = settings_.kept + 1; ::unlinkat(folder->get(), numbered(number).c_str(), 0) == 0;)
    ++number;  // of when more were kept
  for (std::uint64_t number = settings_.kept; number > 1; --number) (void)put(numbered(number - 1), numbered(number));
  if (!put(name, numbered(1))) return;
  auto fresh = open_file(settings_);
  if (!fresh) return;
  file_ = std::move(*fresh);
  size_ = 0;
}

}  // namespace aa
