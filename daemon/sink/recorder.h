// sink/recorder.h: what goes into the Monitor → a capture file, for --replay.
//
// Comes in: the Monitor's settings and every input, already redacted. Goes out: records of event/capture_file.h,
// written by a thread of their own; nothing waits for the disk. A capture lacks nothing or is given up.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sink/batch_writer.h"
#include "state/input.h"

namespace aa {

class Recorder {
 public:
  // The file must not exist yet; it is made with mode 0600.
  static Result<std::unique_ptr<Recorder>> open(const std::string& path, const Monitor::Settings& settings);

  void take(const Input& input);
  // End of a turn: hands over to the writer. False: the disk failed or does not follow; the capture is worthless.
  bool settle();
  const std::string& trouble() const { return trouble_; }
  void finish();  // puts the end mark
  ~Recorder();    // writes what waits, for at most two seconds

 private:
  struct Batch {
    std::string bytes;
    std::uint64_t position = 0;  // in the file
  };
  explicit Recorder(UniqueFd file) : file_(std::move(file)) {}
  void put(const std::string& bytes);
  void hand_over();
  void write(const Batch& batch);  // on the writer's thread

  UniqueFd file_;
  std::atomic<bool> failed_ = false;
  std::string waiting_;  // the loop's own
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;  // handed over so far
  std::string trouble_;
  BatchWriter<Batch> writer_;
};

}  // namespace aa
