#include "event/capture_file.h"

namespace aa {
namespace {

constexpr std::string_view kMagic = "aa-ebpfd capture\n";
constexpr std::size_t kFrame = 5;
constexpr std::size_t kEndBytes = 8;

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  return out;
}

std::uint64_t number_at(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

Error wrong(const std::string& what) {
  return {what, 0, ""};
}

}  // namespace

std::string capture_head() {
  return std::string(kMagic) + static_cast<char>(kCaptureVersion);
}

std::string capture_record(std::uint8_t kind, std::string_view payload) {
  return little_endian(payload.size(), 4) + static_cast<char>(kind) + std::string(payload);
}

std::string capture_end(std::uint64_t records) {
  return capture_record(0, little_endian(records, kEndBytes));
}

Status CaptureReader::head() {
  if (bytes_.empty()) return wrong("the file is empty: it is no capture");
  if (!kMagic.starts_with(bytes_.substr(0, kMagic.size()))) return wrong("it does not begin as a capture does");
  if (bytes_.size() <= kMagic.size()) return wrong("the capture ends within its head");
  const auto version = static_cast<std::uint8_t>(bytes_[kMagic.size()]);
  if (version != kCaptureVersion)
    return wrong("the capture has version " + std::to_string(version) + "; this program reads version " +
                 std::to_string(kCaptureVersion));
  at_ = kMagic.size() + 1;
  return Done{};
}

Result<CaptureReader::Record> CaptureReader::next() {
  const std::string where = "the record at byte " + std::to_string(at_);
  const std::uint64_t left = bytes_.size() - at_;
  if (left == 0)
    return wrong("the capture ends at byte " + std::to_string(at_) + " without its end mark: it was cut after " +
                 std::to_string(records_) + " records");
  if (left < kFrame) return wrong(where + " is cut: the capture ends within it");
  const std::uint64_t length = number_at(bytes_.substr(at_, 4));
  if (length > left - kFrame)
    return wrong(where + " says it has " + std::to_string(length) + " bytes, but only " +
                 std::to_string(left - kFrame) + " are left");
  Record record{static_cast<std::uint8_t>(bytes_[at_ + 4]), bytes_.substr(at_ + kFrame, length), at_};
  at_ += kFrame + length;
  if (record.kind != 0) {
    ++records_;
    return record;
  }
  if (length != kEndBytes || number_at(record.payload) != records_)
    return wrong(where + " is an end mark that does not fit: " + std::to_string(records_) + " records are before it");
  if (at_ != bytes_.size())
    return wrong(std::to_string(bytes_.size() - at_) + " bytes follow the end mark at byte " +
                 std::to_string(record.offset));
  return record;
}

}  // namespace aa
