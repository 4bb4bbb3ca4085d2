#include "event/stream_reader.h"

#include <algorithm>
#include <utility>

#include "event/http1_reader.h"
#include "event/http2_reader.h"
#include "event/websocket_reader.h"

namespace aa {

StreamReader::StreamReader(std::uint64_t offset, bool from_start, Budget budget)
    : offset_(offset), budget_(std::move(budget)) {
  if (offset == 0 && from_start) return;
  reader_ = std::make_unique<Http1Reader>(offset, budget_);
  Pieces none;
  reader_->miss(0, none);
}

// False: it may still be HTTP/2.
bool StreamReader::choose() {
  const std::string_view preface = Http2Reader::kPreface.substr(0, first_.size());
  if (first_.starts_with(preface)) {
    if (first_.size() < Http2Reader::kPreface.size()) return false;
    reader_ = std::make_unique<Http2Reader>(true, budget_);
  } else if (first_[0] == '\0' && first_.size() < Http2Reader::kFrameHead) {
    return false;
  } else if (Http2Reader::is_server_start(first_)) {
    reader_ = std::make_unique<Http2Reader>(false, budget_);
  } else {
    reader_ = std::make_unique<Http1Reader>(offset_, budget_);
  }
  return true;
}

void StreamReader::take(std::string_view bytes, Pieces& out) {
  if (reader_) return follow(bytes, out);
  first_ += bytes;
  if (first_.empty() || !choose()) return;
  const std::string first = std::exchange(first_, {});
  follow(first, out);
}

void StreamReader::follow(std::string_view bytes, Pieces& out) {
  const std::size_t taken = reader_->take(bytes, out);
  if (!reader_->is_done()) return;
  reader_ = std::make_unique<WebSocketReader>(budget_);
  reader_->take(bytes.substr(taken), out);
}

// What could have become HTTP/2 is told as text.
void StreamReader::settle(Pieces& out) {
  if (reader_) return;
  reader_ = std::make_unique<Http1Reader>(offset_, budget_);
  const std::string first = std::exchange(first_, {});
  follow(first, out);
}

void StreamReader::miss(std::uint64_t bytes, Pieces& out) {
  settle(out);
  reader_->miss(bytes, out);
}

void StreamReader::flush(Pieces& out) {
  if (first_.empty() && !reader_) return;
  settle(out);
  reader_->flush(out);
}

}  // namespace aa
