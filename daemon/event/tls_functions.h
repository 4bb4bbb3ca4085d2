// event/tls_functions.h: the functions of bpf/abi/tls.h, for people.
//
// Comes in: a row's number. Goes out: what it is called, whose it is, which way its bytes go.
#pragma once

#include <cstdint>
#include <string_view>

#include "event/event.h"

namespace aa {

struct TlsFunction {
  std::string_view name;     // "SSL_read"
  std::string_view library;  // "openssl": the kind, with all that share its functions
  TlsDirection direction = TlsDirection::send;
};

// nullptr: there is no such row.
const TlsFunction* tls_function(std::uint8_t row);

}  // namespace aa
