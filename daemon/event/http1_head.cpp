#include "event/http1_head.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace aa {
namespace {

constexpr std::size_t kMostHeadLine = 512;
constexpr std::size_t kVersion = 9;  // " HTTP/1.1" ends a request's first line
constexpr std::size_t kMostMethod = 24;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_response_line(std::string_view line) {
  return line.starts_with("HTTP/1.") && line.size() >= 12 && is_digit(line[7]) && line[8] == ' ' && is_digit(line[9]) &&
         is_digit(line[10]) && is_digit(line[11]);
}

bool ends_in_version(std::string_view line) {
  return line.size() > kVersion && line.substr(line.size() - kVersion).starts_with(" HTTP/1.") && is_digit(line.back());
}

bool begins_in_method(std::string_view line) {
  const std::size_t end = line.find(' ');
  if (end == 0 || end > kMostMethod) return false;
  return std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char byte) { return (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_'; });
}

Coding one_coding(std::string_view name) {
  if (name.empty() || name == "identity") return Coding::none;
  if (name == "gzip" || name == "x-gzip") return Coding::gzip;
  if (name == "br") return Coding::brotli;
  if (name == "zstd") return Coding::zstd;
  return name == "deflate" ? Coding::deflate : Coding::other;
}

// One behind the other: two that do something are more than is undone here.
Coding both(Coding first, Coding second) {
  if (first == Coding::none) return second;
  return second == Coding::none ? first : Coding::other;
}

}  // namespace

Coding coding_named(std::string_view names) {
  const std::string all = lowered(names);
  Coding coding = Coding::none;
  for (std::size_t at = 0; at <= all.size();) {
    const std::size_t comma = std::min(all.find(',', at), all.size());
    coding = both(coding, one_coding(trimmed(std::string_view(all).substr(at, comma - at))));
    at = comma + 1;
  }
  return coding;
}

bool is_first_line(std::string_view line) {
  return is_response_line(line) || (begins_in_method(line) && ends_in_version(line));
}

std::size_t Http1Head::take(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !is_complete_ && is_http_) {
    const char byte = bytes[at++];
    if (byte == '\n') {
      end_line();
      continue;
    }
    ++size_;
    if (line_.size() < kMostHeadLine)
      line_.push_back(byte);
    else if (!has_first_)
      tail_ = tail_.substr(tail_.size() > kVersion ? 1 : 0) + byte;
  }
  return at;
}

void Http1Head::end_line() {
  for (std::string* text : {&tail_, &line_}) {
    if (text->empty()) continue;
    if (text->back() == '\r') text->pop_back();
    break;
  }
  if (!has_first_)
    first_line();
  else if (size_ <= 1 && line_.empty())
    is_complete_ = true;
  else
    field();
  line_.clear();
  tail_.clear();
  size_ = 0;
}

void Http1Head::first_line() {
  if (line_.empty()) return;  // some send an empty line between messages
  const std::string whole = tail_.empty() ? line_ : line_ + tail_;
  is_http_ = is_first_line(whole);
  is_response_ = is_http_ && is_response_line(whole);
  if (is_response_) std::from_chars(whole.data() + 9, whole.data() + 12, status_);
  has_first_ = true;
}

void Http1Head::field() {
  const std::size_t colon = line_.find(':');
  if (colon == std::string::npos) return;
  const std::string name = lowered(trimmed(std::string_view(line_).substr(0, colon)));
  const std::string value = lowered(trimmed(std::string_view(line_).substr(colon + 1)));
  if (name == "content-length") content_length(value);
  if (name == "content-encoding") coding_ = both(coding_, coding_named(value));
  if (name == "upgrade") websocket_ = websocket_ || value == "websocket";
  if (name != "transfer-encoding") return;
  is_chunked_ = is_chunked_ || value.ends_with("chunked");
  const std::string_view before(value.data(), value.ends_with("chunked") ? value.size() - 7 : value.size());
  coding_ = both(coding_, coding_named(before));
}

// Two that differ, or no number: no HTTP that can be followed.
void Http1Head::content_length(std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  is_http_ = error == std::errc() && end == value.data() + value.size() && (!length_ || *length_ == length);
  length_ = length;
}

std::optional<std::uint64_t> Http1Head::length() const {
  if (is_response_ && (status_ / 100 == 1 || status_ == 204 || status_ == 304)) return 0;
  if (length_) return length_;
  if (is_response_) return std::nullopt;
  return 0;
}

}  // namespace aa
