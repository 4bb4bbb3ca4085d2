// sink/jsonl.h: the durable sink: JSON Lines to a file, written by its own thread.
//
// Comes in: lines, and after each turn the ring position they reach up to. Goes out: what is written is acknowledged,
// so that the ring is released only up to there. Nothing waits on the disk in the loop: when it stalls, what is queued
// is dropped and counted. What the file misses is said in it, by a line of type loss, as soon as it takes lines again;
// it holds whole lines only.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sink/batch_writer.h"
#include "sink/fan_out.h"

namespace aa {

class JsonlSink : public Sink {
 public:
  struct Counts {
    std::uint64_t written = 0;  // events; the sink's own words about losses are not counted
    LossBody write_errors{"jsonl", "write-error", 0, 0, 0};  // the file refused (disk full)
    LossBody stalled{"jsonl", "sink-stalled", 0, 0, 0};      // dropped by drop_waiting()
  };

  struct File {
    std::string path;
    std::uint64_t max_bytes = 0;  // when it has so many it becomes PATH.1, and is begun anew; 0: never
    std::uint64_t kept = 1;       // PATH.1 … PATH.kept
    bool sync = false;            // the disk keeps each batch before it is acknowledged
    std::string group;            // may read it; "": root alone
  };
  // A file that is appended to, created with mode 0600, 0640 for a group; must be a regular file when it exists.
  static Result<std::unique_ptr<JsonlSink>> open(File file);
  // Takes over a descriptor (standard output).
  static Result<std::unique_ptr<JsonlSink>> over(UniqueFd file);
  ~JsonlSink() override;  // writes what is queued, for at most two seconds

  bool wants_lines() const override { return true; }
  void take(const Event& event, const Line& line) override;

  // Everything taken so far belongs to ring positions up to `position`: hands it to the writer.
  void seal(std::uint64_t position);
  // Up to which position everything is written, or given up. `ack_fd` becomes readable when it changes.
  std::uint64_t acknowledged() const { return writer_.acknowledged(); }
  int ack_fd() const { return writer_.ack_fd(); }
  void clear_ack() { writer_.clear_ack(); }

  // The disk does not follow: forget what the writer has not begun.
  void drop_waiting();
  Counts counts() const;

 private:
  struct Batch {
    std::string text;
    std::uint64_t events = 0;
    std::uint64_t position = 0;
    std::uint64_t first_boot_ns = 0;  // the earliest, which need not be the first one's
    std::uint64_t last_boot_ns = 0;
    std::uint64_t last_seq = 0;
    std::int64_t last_wall_ns = 0;
  };
  // What the file does not know yet that it misses.
  struct Untold {
    LossBody loss;
    std::uint64_t seq = 0;
    std::int64_t wall_ns = 0;
  };
  explicit JsonlSink(UniqueFd fd) : file_(std::move(fd)) {}
  static Result<UniqueFd> open_file(const File& file);
  void rotate();  // on the writer's thread
  Status start();
  void write(const Batch& batch);  // on the writer's thread
  bool wait_for_room() const;
  // How many bytes the file took. Less than all: it refused, and of a line that was begun nothing stays.
  std::size_t write_out(const std::string& text);
  void take_back_half_line(std::string_view written);
  std::string words_about_losses() const;
  void settle(const Batch& batch, std::size_t preface, std::size_t written, std::uint64_t told_dropped);
  static void lose(LossBody& total, Untold& untold, const Batch& batch, std::uint64_t events);

  UniqueFd file_;
  File settings_;
  std::uint64_t size_ = 0;  // of a regular file
  bool regular_ = false;
  bool torn_ = false;  // half a line is there that could not be taken back: the next begins on a line of its own
  Batch open_;         // the loop's own
  std::uint64_t sealed_ = 0;
  mutable std::mutex mutex_;  // of what follows
  Untold unwritten_{{"jsonl", "write-error", 0, 0, 0}, 0, 0};
  Untold dropped_{{"jsonl", "sink-stalled", 0, 0, 0}, 0, 0};
  Counts counts_;
  BatchWriter<Batch> writer_;
};

}  // namespace aa
