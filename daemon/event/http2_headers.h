// event/http2_headers.h: the header blocks of one direction of an HTTP/2 connection (HPACK, RFC 7541).
//
// Comes in: fragments of blocks, all of them and in order, for each block needs what those before it said. Goes out:
// lines, "name: value". libnghttp2 does the decoding; a table is at most 64 KiB, of which there is a budget (else 4
// KiB, with which all begin), a block's lines kMostLines bytes, those of one call kMostBeyond more than it has itself:
// a field that is in the table costs a byte. Over a connection's life there is no such bound, for all its requests may
// be like that.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "event/coding.h"
#include "event/reader_budget.h"

namespace aa {

class Http2Headers {
 public:
  explicit Http2Headers(const Budget& budget);

  // Fragments of a call with so many bytes come.
  void begin_call(std::size_t bytes);
  // False: it is broken, for good.
  bool take(std::string_view fragment, bool is_last);

  struct Block {
    std::string lines;
    bool is_cut = false;      // there were more
    bool is_interim = false;  // of an answer behind which another comes
    Coding coding = Coding::none;
    bool has_coding = false;  // a field said one
  };
  // The block that has ended.
  Block block() { return std::exchange(block_, {}); }

 private:
  struct Delete {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  void add(const nghttp2_nv& field);
  void note_coding(std::string_view value);

  BudgetShare table_;
  std::unique_ptr<nghttp2_hd_inflater, Delete> inflater_;
  Block block_;
  std::size_t left_ = 0;  // bytes of lines that this call may still give
};

}  // namespace aa
