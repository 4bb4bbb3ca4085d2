#include "source/replay_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "event/json.h"
#include "state/input.h"

namespace aa {
namespace {

constexpr std::size_t kWriteAt = 256 * 1024;

// A file's bytes, mapped for as long as the object lives.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path) {
    const bool given = path == "-";
    const UniqueFd fd(given ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                            : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return Error{"replay " + path, errno, "name a file that --record wrote"};
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return Error{"replay " + path + ": it is not a file", 0, "name a file that --record wrote"};
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return MappedFile(nullptr, 0);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) return Error{"read " + path, errno, ""};
    return MappedFile(data, size);
  }
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, std::size_t size) : data_(data), size_(size) {}
  void* data_;
  std::size_t size_;
};

class Lines {
 public:
  explicit Lines(int out) : out_(out) {}
  Status add(const Step& step) {
    for (const Event& event : step.events) {
      append_json(text_, event);
      text_.push_back('\n');
    }
    return text_.size() < kWriteAt ? Status(Done{}) : flush();
  }
  Status flush() {
    for (std::size_t at = 0; at < text_.size();) {
      const ssize_t length = ::write(out_, text_.data() + at, text_.size() - at);
      if (length < 0 && errno != EINTR) return Error{"write events", errno, ""};
      if (length > 0) at += static_cast<std::size_t>(length);
    }
    text_.clear();
    return Done{};
  }

 private:
  int out_;
  std::string text_;
};

Status run(CaptureReader& capture, Lines& lines) {
  if (Status head = capture.head(); !head) return head;
  auto first = capture.next();
  if (!first) return first.error();
  auto settings = settings_of(*first);
  if (!settings) return settings.error();
  Monitor monitor(std::move(*settings));
  for (;;) {
    const auto record = capture.next();
    if (!record) return record.error();
    if (record->kind == 0) return Done{};
    auto input = input_of(*record);
    if (!input) return input.error();
    if (Status added = lines.add(feed(monitor, std::move(*input))); !added) return added;
  }
}

}  // namespace

Status replay_capture(const std::string& path, int out) {
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  CaptureReader capture(file->bytes());
  Lines lines(out);
  const Status replayed = run(capture, lines);
  if (Status flushed = lines.flush(); !flushed) return flushed;
  if (!replayed) return Error{"replay " + path + ": " + replayed.error().text(), 0, ""};
  return Done{};
}

}  // namespace aa
