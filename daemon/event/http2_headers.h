// event/http2_headers.h: the header blocks of one direction of an HTTP/2 connection (HPACK, RFC 7541).
//
// Comes in: fragments of blocks, all of them and in order, for each block needs what those before it said. Goes out:
// lines, "name: value". libnghttp2 does the decoding; a table is at most 64 KiB, of which there is a budget (else 4
// KiB, with which all begin), a block's lines kMostLines bytes.
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

  // False: it is broken, for good.
  bool take(std::string_view fragment, bool is_last);

  struct Block {
    std::string lines;
    bool is_cut = false;      // there were more
    bool is_interim = false;  // of an answer behind which another comes
    Coding coding = Coding::none;
  };
  // The block that has ended.
  Block block() { return std::exchange(block_, {}); }

 private:
  struct Delete {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  void add(const nghttp2_nv& field);

  BudgetShare table_;
  std::unique_ptr<nghttp2_hd_inflater, Delete> inflater_;
  Block block_;
};

}  // namespace aa
