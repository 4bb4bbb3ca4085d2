#include "event/tls_functions.h"

#include <array>

#include "abi/tls.h"

namespace aa {
namespace {

constexpr TlsDirection direction_of(int direction) {
  return direction == AA_TLS_RECV ? TlsDirection::recv : TlsDirection::send;
}

constexpr std::string_view library_of(std::string_view function) {
  return function.starts_with("gnutls_") ? "gnutls" : "openssl";
}

constexpr std::array kRows = {
#define AA_TLS_ROW(id, short, name, direction, result) \
  TlsFunction{name, library_of(name), direction_of(AA_TLS_##direction)},
    AA_TLS_FUNCTIONS(AA_TLS_ROW)
#undef AA_TLS_ROW
};

}  // namespace

const TlsFunction* tls_function(std::uint8_t row) {
  return row < kRows.size() ? &kRows[row] : nullptr;
}

}  // namespace aa
