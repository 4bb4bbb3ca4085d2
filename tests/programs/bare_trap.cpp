// bare_trap: attaches a program that does nothing to every place of the loader's libssl where the daemon would attach
// one of its own to a call's beginning or end. Says "attached"; lives until standard input ends. Exit status 77: this
// kernel has no uprobe_multi, by which the daemon attaches where it can.
#include <unistd.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "probe/tls_library.h"
#include "probe/uprobe_multi.h"

namespace {

constexpr int kCannot = 77;

int attach_all() {
  std::vector<aa::UniqueFd> links;
  const aa::UniqueFd program = aa::empty_uprobe_multi_program();
  if (!program || !aa::kernel_has_uprobe_multi()) return kCannot;
  for (const std::string& path : aa::usual_tls_libraries()) {
    const auto library = aa::read_tls_library(path, {});
    if (path.find("libssl") == std::string::npos || !library || !*library) continue;
    const std::pair<const std::vector<aa::TlsSite>&, bool> places[] = {
        {(*library)->returns, true}, {(*library)->ends, false}, {(*library)->begins, false}};
    for (const auto& [sites, at_return] : places) {
      if (sites.empty()) continue;
      auto link = aa::attach_uprobe_multi(program.get(), "nothing", path, sites, at_return);
      if (!link) return std::fprintf(stderr, "bare_trap: %s\n", link.error().text().c_str()), 1;
      links.push_back(std::move(*link));
    }
  }
  if (links.empty()) return std::fprintf(stderr, "bare_trap: the loader knows no libssl\n"), 1;
  std::puts("attached");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
  return 0;
}

}  // namespace

int main() {
  return attach_all();
}
