#include "probe/tls_stacks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"

namespace aa {
namespace {

struct Sign {
  std::string_view text;
  std::string_view stack;
};

constexpr std::string_view kQuic = "what it says over QUIC (HTTP/3) goes through no TLS library";
constexpr std::array kFileNames = {
    Sign{"libnss3.so", "it is NSS, whose own functions are not exported"},
    Sign{"libssl3.so", "it is NSS, whose own functions are not exported"},
    Sign{"libjvm.so", "it is Java, which has TLS of its own"},
    Sign{"libmbedtls.so", "it is Mbed TLS"},
    Sign{"libwolfssl.so", "it is wolfSSL"},
    Sign{"libngtcp2.so", kQuic},
    Sign{"libquiche.so", kQuic},
    Sign{"libmsquic.so", kQuic},
};
// In every build, stripped or not: source names in error messages, and Go's mark for its version.
constexpr std::array kContents = {
    Sign{"\xff Go buildinf:", "it is a Go program: TLS is in it, when it uses any"},
    Sign{"ssl/ssl_lib.cc", "it carries BoringSSL and does not export its functions"},
    Sign{std::string_view("ssl/ssl_lib.c\0", 14), "it carries OpenSSL and does not export its functions"},
    Sign{"rustls-", "it carries rustls"},
};

constexpr std::size_t kMostRead = 256u << 20;
constexpr std::size_t kPart = 1u << 20;
constexpr std::size_t kOverlap = 64;  // longer than any sign

std::string_view find_in_contents(int fd) {
  std::vector<char> part(kPart + kOverlap);
  std::size_t kept = 0;
  for (std::size_t at = 0; at < kMostRead; at += kPart) {
    const ssize_t length = ::pread(fd, part.data() + kept, kPart, static_cast<off_t>(at));
    if (length <= 0) return {};
    const std::size_t size = kept + static_cast<std::size_t>(length);
    for (const Sign& sign : kContents)
      if (::memmem(part.data(), size, sign.text.data(), sign.text.size()) != nullptr) return sign.stack;
    kept = std::min(kOverlap, size);
    std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(size - kept), kept, part.begin());
  }
  return {};
}

}  // namespace

std::string uncovered_stack(const std::string& name, const std::string& link) {
  const std::string_view file = last_component(name);
  for (const Sign& sign : kFileNames)
    if (file.starts_with(sign.text)) return std::string(sign.stack);
  const UniqueFd fd(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
  return fd ? std::string(find_in_contents(fd.get())) : "";
}

}  // namespace aa
