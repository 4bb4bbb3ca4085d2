#include "sink/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace aa {
namespace {

constexpr std::uint64_t kWaitingMax = 256 * 1024 * 1024;  // bytes that may wait for the disk

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string& path, const Monitor::Settings& settings) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    const int err = errno;
    return Error{"record to " + path, err,
                 err == EEXIST ? "remove the file, or name another" : "name a file in a directory that exists"};
  }
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(fd)));
  if (Status started = recorder->writer_.start([own = recorder.get()](Batch& batch) { own->write(batch); }); !started)
    return started.error();
  recorder->put(capture_head());
  recorder->records_ = 1;
  recorder->put(record_of(settings));
  return recorder;
}

Recorder::~Recorder() {
  hand_over();
  (void)writer_.finish();
}

void Recorder::put(const std::string& bytes) {
  bytes_ += bytes.size();
  waiting_ += bytes;
}

void Recorder::take(const Input& input) {
  ++records_;
  put(record_of(input));
}

void Recorder::hand_over() {
  if (!waiting_.empty()) writer_.put({std::exchange(waiting_, {}), bytes_});
}

bool Recorder::settle() {
  hand_over();
  if (failed_) trouble_ = "the file cannot be written";
  if (bytes_ - writer_.acknowledged() > kWaitingMax) trouble_ = "the disk does not follow";
  return trouble_.empty();
}

void Recorder::finish() {
  put(capture_end(records_));
  hand_over();
}

// After a failure nothing more: what follows a hole is worthless.
void Recorder::write(const Batch& batch) {
  for (std::size_t at = 0; at < batch.bytes.size() && !failed_;) {
    const ssize_t length = ::write(file_.get(), batch.bytes.data() + at, batch.bytes.size() - at);
    if (length < 0 && errno != EINTR) failed_ = true;
    if (length > 0) at += static_cast<std::size_t>(length);
  }
}

}  // namespace aa
