// event/http1_head.h: what the head of an HTTP/1 message says of its body.
//
// Comes in: a head's bytes, in pieces. Goes out: how the body is framed and coded. Keeps one line's beginning.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "event/coding.h"

namespace aa {

// Of a Content-Encoding or Transfer-Encoding, one or several with commas between them, letters of either case.
Coding coding_named(std::string_view names);

// "GET /a HTTP/1.1" or "HTTP/1.1 200 OK", without its end.
bool is_first_line(std::string_view line);

class Http1Head {
 public:
  // Takes bytes up to the head's end, how many is the answer.
  std::size_t take(std::string_view bytes);

  bool is_at_start() const { return !has_first_ && size_ == 0; }
  bool is_complete() const { return is_complete_; }
  bool is_http() const { return is_http_; }  // so far

  bool is_response() const { return is_response_; }
  bool is_chunked() const { return is_chunked_; }
  Coding coding() const { return coding_; }
  // Bytes of the body when it is not chunked; nullopt: up to the connection's end.
  std::optional<std::uint64_t> length() const;
  bool asks_for_websocket() const { return websocket_; }
  bool starts_websocket() const { return websocket_ && is_response_ && status_ == 101; }

 private:
  void end_line();
  void first_line();
  void field();
  void content_length(std::string_view value);

  std::string line_;  // its beginning
  std::string tail_;  // the first line's end, where that is longer
  std::size_t size_ = 0;
  bool has_first_ = false;
  bool is_complete_ = false;
  bool is_http_ = true;
  bool is_response_ = false;
  bool is_chunked_ = false;
  bool websocket_ = false;
  unsigned status_ = 0;
  Coding coding_ = Coding::none;
  std::optional<std::uint64_t> length_;
};

}  // namespace aa
