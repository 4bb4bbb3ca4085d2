#include "event/http2_headers.h"

#include "event/http1_head.h"

namespace aa {
namespace {

constexpr std::size_t kMostTable = 64 * 1024;  // what senders may make of it is said in the other direction
constexpr std::size_t kMostLines = 64 * 1024;
constexpr std::size_t kMostBeyond = 256 * 1024;  // an agent's requests have 4 KiB behind 20 bytes, a few dozen a call
constexpr std::size_t kMostCodings = 256;
constexpr std::size_t kAroundField = 3;  // ": " and the line's end

nghttp2_hd_inflater* new_inflater(bool has_table) {
  nghttp2_hd_inflater* inflater = nullptr;
  if (nghttp2_hd_inflate_new(&inflater) != 0) return nullptr;
  if (has_table) nghttp2_hd_inflate_change_table_size(inflater, kMostTable);
  return inflater;
}

// A line's end within a field would be the end of what is taken for a secret.
void append_on_one_line(std::string& out, std::string_view text) {
  for (const char byte : text) out.push_back(static_cast<unsigned char>(byte) < ' ' || byte == '\x7F' ? ' ' : byte);
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Http2Headers::Http2Headers(const Budget& budget)
    : table_(budget, &ReaderBudget::tables), inflater_(new_inflater(static_cast<bool>(table_))) {}

void Http2Headers::begin_call(std::size_t bytes) {
  left_ = kMostBeyond + bytes;
}

bool Http2Headers::take(std::string_view fragment, bool is_last) {
  while (inflater_ != nullptr) {
    nghttp2_nv field;
    int flags = 0;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(fragment.data());
    const auto taken = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, bytes, fragment.size(), is_last ? 1 : 0);
    if (taken < 0) {
      inflater_.reset();
      return false;
    }
    fragment.remove_prefix(static_cast<std::size_t>(taken));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) add(field);
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_.get());
      return fragment.empty();
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && fragment.empty()) return !is_last;
  }
  return false;
}

void Http2Headers::add(const nghttp2_nv& field) {
  const std::string_view name = view(field.name, field.namelen);
  const std::string_view value = view(field.value, field.valuelen);
  if (name == ":status") block_.is_interim = value.starts_with('1');
  if (name == "content-encoding") note_coding(value);
  const std::size_t line = name.size() + value.size() + kAroundField;
  block_.is_cut = block_.is_cut || block_.lines.size() + line > kMostLines || line > left_;
  if (block_.is_cut) return;
  left_ -= line;
  append_on_one_line(block_.lines, name);
  block_.lines += ": ";
  append_on_one_line(block_.lines, value);
  block_.lines += '\n';
}

// A byte may name a field again that is as long as the table: it is looked into once a block.
void Http2Headers::note_coding(std::string_view value) {
  const bool is_other = std::exchange(block_.has_coding, true) || value.size() > kMostCodings;
  block_.coding = is_other ? Coding::other : coding_named(value);
}

}  // namespace aa
