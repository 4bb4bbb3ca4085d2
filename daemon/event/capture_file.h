// event/capture_file.h: the frames of a capture: a head, records that carry their length, an end mark.
//
//   "aa-ebpfd capture\n"  version (1 byte)  then records: length (4 bytes, little endian), kind (1 byte), payload
//   the last record is kind 0 and holds the number of records before it (8 bytes, little endian)
//
// Comes in: payloads, or bytes that nobody vouches for. Goes out: the other, or one sentence saying what is wrong and
// where. Knows nothing of what a payload means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace aa {

inline constexpr std::uint8_t kCaptureVersion = 13;

std::string capture_head();
std::string capture_record(std::uint8_t kind, std::string_view payload);  // kind 1 and up
std::string capture_end(std::uint64_t records);

// Walks through a capture that lies in memory.
class CaptureReader {
 public:
  explicit CaptureReader(std::string_view bytes) : bytes_(bytes) {}

  struct Record {
    std::uint8_t kind = 0;  // 0: the end mark was reached, and it was right
    std::string_view payload;
    std::uint64_t offset = 0;  // where it begins in the file
  };

  Status head();  // first
  Result<Record> next();

 private:
  std::string_view bytes_;
  std::uint64_t at_ = 0;
  std::uint64_t records_ = 0;
};

}  // namespace aa
