#include "probe/tls_attacher.h"

#include <sys/resource.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "abi/tls.h"
#include "base/file_text.h"
#include "probe/kernel_age.h"
#include "probe/uprobe_multi.h"

namespace aa {
namespace {

using tls_programs::kEnd;
using tls_programs::kEnter;
using tls_programs::kReturn;
constexpr const char* kEndShared = "aa_tls_end_shared";  // where there are no cookies, which say it
constexpr const char* kLife = "aa_tls_life";
constexpr const char* kNew = "aa_tls_new";
constexpr const char* kNewEnd = "aa_tls_new_end";
// Where programs get no cookie, each function has one of its own, in the order of the rows.
constexpr std::array kEnterPrograms = {
#define AA_TLS_PROGRAM(id, short, name, direction, result) "aa_in_" #short,
    AA_TLS_FUNCTIONS(AA_TLS_PROGRAM)
#undef AA_TLS_PROGRAM
};
constexpr std::array kLifePrograms = {"aa_life_free", "aa_life_clear", "aa_life_up_ref", "aa_life_begin", "aa_life_fd"};

bool runs_at_return(std::string_view program) {
  return program == kReturn || program == kNew;
}

Error too_few_descriptors(const char* program) {
  return {std::string("attach ") + program + ": the last descriptors are left to others", EMFILE, ""};
}

}  // namespace

bool is_one_of_the_last(int descriptor) {
  constexpr rlim_t kMostLeft = 256, kShareLeft = 8;
  rlimit limit{};
  if (descriptor < 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  return static_cast<rlim_t>(descriptor) >= limit.rlim_cur - std::min(kMostLeft, limit.rlim_cur / kShareLeft);
}

bpf_program* TlsAttacher::program_for(const char* name, const TlsSite& site) const {
  const bool own = !kernel_has_callbacks();
  if (own && name == kEnter) name = kEnterPrograms.at(site.row);
  if (own && name == kLife) name = kLifePrograms.at(site.row);
  if (own && name == kEnd && site.shared) name = kEndShared;
  return bpf_object__find_program_by_name(object_.get(), name);
}

Status TlsAttacher::attach_sites(const char* name, const std::string& path, const std::vector<TlsSite>& sites,
                                 std::uint32_t pid, TlsLinks& links) const {
  if (sites.empty()) return Done{};
  if (multi_) {
    const int program = bpf_program__fd(program_for(name, sites.front()));
    auto link = attach_uprobe_multi(program, name, path, sites, runs_at_return(name), pid);
    if (!link) return link.error();
    if (is_one_of_the_last(link->get())) return too_few_descriptors(name);
    links.emplace_back(std::move(*link), nullptr);
    return Done{};
  }
  for (const TlsSite& site : sites) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = runs_at_return(name));
    if (kernel_has_callbacks()) options.bpf_cookie = site.cookie();
    const pid_t who = pid == 0 ? -1 : static_cast<pid_t>(pid);
    LinkPtr link(bpf_program__attach_uprobe_opts(program_for(name, site), who, path.c_str(), site.offset, &options));
    if (!link) return Error{std::string("attach ") + name, errno, ""};
    if (is_one_of_the_last(bpf_link__fd(link.get()))) return too_few_descriptors(name);
    links.emplace_back(UniqueFd(), std::move(link));
  }
  return Done{};
}

// Ends before beginnings, makers first: what is seen at all is seen whole.
Status TlsAttacher::attach_all(const TlsLibrary& library, std::uint32_t pid, TlsLinks& links) const {
  const std::string path = link_to(library.file);
  const std::pair<const char*, const std::vector<TlsSite>&> steps[] = {
      {kNew, library.maker_returns}, {kNewEnd, library.maker_ends}, {kLife, library.life},
      {kReturn, library.returns},    {kEnd, library.ends},          {kEnter, library.begins}};
  for (const auto& [program, sites] : steps)
    if (Status attached = attach_sites(program, path, sites, pid, links); !attached) return attached;
  return Done{};
}

TlsAttacher::Attached TlsAttacher::attach(const TlsLibrary& library, std::uint32_t pid) const {
  Attached attached{Done{}, {}};
  attached.status = attach_all(library, pid, attached.links);
  if (!attached.status) attached.links.clear();
  return attached;
}

}  // namespace aa
