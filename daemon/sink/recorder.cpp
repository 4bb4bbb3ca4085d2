#include "sink/recorder.h"

#include <fcntl.h>

#include <cerrno>

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
  auto file = JsonlSink::over(std::move(fd));
  if (!file) return file.error();
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(*file)));
  recorder->put(capture_head());
  recorder->records_ = 1;
  recorder->put(record_of(settings));
  return recorder;
}

void Recorder::put(std::string bytes) {
  bytes_ += bytes.size();
  file_->take({}, std::make_shared<const std::string>(std::move(bytes)));
}

void Recorder::take(const Input& input) {
  ++records_;
  put(record_of(input));
}

bool Recorder::settle() {
  file_->seal(bytes_);
  if (file_->counts().write_errors.count > 0) trouble_ = "the file cannot be written";
  if (bytes_ - file_->acknowledged() > kWaitingMax) trouble_ = "the disk does not follow";
  return trouble_.empty();
}

void Recorder::finish() {
  put(capture_end(records_));
  file_->seal(bytes_);
}

}  // namespace aa
