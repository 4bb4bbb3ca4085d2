#include "control/lineage_service.h"

#include <algorithm>
#include <unordered_set>

#include "control/convert.h"
#include "control/options.h"
#include "control/refuse.h"

namespace aa {

namespace {

constexpr std::uint32_t kDefaultPage = 500;

std::vector<ProcessRow> rows(const std::vector<const Process*>& processes) {
  std::vector<ProcessRow> out;
  std::size_t size = 0;
  for (const Process* process : processes) {
    out.push_back(process_row(*process));
    size += wire_size(out.back());
    if (size > kReplyLimit) {
      throw Refused(Fault::limit_reached,
                    "the answer about " + std::to_string(processes.size()) +
                        " processes is larger than 4 MiB; use ListProcesses, which gives it in pages");
    }
  }
  return out;
}

bool starts_before(const ProcessId& a, const ProcessId& b) {
  return a.start_ns != b.start_ns ? a.start_ns < b.start_ns : a.pid < b.pid;
}

ProcessId parse_cursor(const std::string& cursor) {
  if (cursor.empty()) return {};
  const auto id = parse_process_id(cursor);
  if (!id) {
    throw Refused(Fault::invalid_argument,
                  "the cursor is not one that ListProcesses gave; begin again with an empty cursor");
  }
  return *id;
}

[[noreturn]] void refuse_unknown(const std::string& which) {
  throw Refused(Fault::no_such_process,
                "no process " + which +
                    " is known here: it never was watched, nor is it an ancestor of one that was; to know it, "
                    "StartMonitoring it while it lives");
}

}  // namespace

const Process& LineageService::resolve(std::uint32_t pid) const {
  if (pid == 0) throw Refused(Fault::invalid_argument, "pid 0 is no process; give the pid of one");
  const Process* process = monitor_.lineage().by_pid(pid);
  if (process == nullptr) refuse_unknown("with pid " + std::to_string(pid));
  return *process;
}

const Target& LineageService::resolve_target(const std::string& text) const {
  const auto found = monitor_.resolve_target(text);
  if (const auto* refusal = std::get_if<Refusal>(&found)) throw Refused(*refusal);
  return *std::get<const Target*>(found);
}

Dict LineageService::get_process(std::uint32_t pid) const {
  return process_dict(monitor_, resolve(pid));
}

std::vector<ProcessRow> LineageService::get_ancestry(std::uint32_t pid) const {
  return rows(monitor_.lineage().ancestry(resolve(pid).id));
}

std::vector<ProcessRow> LineageService::get_descendants(std::uint32_t pid, std::uint32_t depth) const {
  return rows(monitor_.lineage().descendants(resolve(pid).id, depth));
}

bool LineageService::is_descendant_of(std::uint32_t pid, std::uint32_t ancestor) const {
  return monitor_.lineage().is_descendant_of(resolve(pid).id, resolve(ancestor).id);
}

std::vector<ProcessRow> LineageService::get_tree(const std::string& target) const {
  return rows(monitor_.tree(resolve_target(target)));
}

std::vector<const Process*> LineageService::subtree(const Process& root, std::uint32_t depth) const {
  auto processes = monitor_.lineage().descendants(root.id, depth);
  processes.push_back(&root);
  return processes;
}

std::vector<const Process*> LineageService::select(const Dict& selector) const {
  const Options options(selector, "selector key", {"target", "pid", "id", "depth", "alive"});
  const auto target = options.text("target");
  const auto pid = options.number("pid");
  const auto id = options.text("id");
  const auto depth = options.number("depth");
  const auto alive = options.flag("alive");
  if (pid && id) throw Refused(Fault::invalid_argument, "select by 'pid' or by 'id', not by both");
  if (depth && !pid && !id) {
    throw Refused(Fault::invalid_argument, "the selector key 'depth' counts from a process: add 'pid' or 'id'.");
  }

  std::vector<const Process*> chosen;
  if (pid) {
    chosen = subtree(resolve(*pid), depth.value_or(0));
  } else if (id) {
    const auto parsed = parse_process_id(*id);
    if (!parsed) throw Refused(Fault::invalid_argument, "the selector key 'id' must look like 4242-98123456789");
    const Process* root = monitor_.lineage().get(*parsed);
    if (root == nullptr) refuse_unknown("with that id");
    chosen = subtree(*root, depth.value_or(0));
  } else if (!target) {
    chosen = monitor_.lineage().all();
  }
  if (target) {
    auto members = monitor_.tree(resolve_target(*target));
    if (pid || id) {
      const std::unordered_set<const Process*> inside(members.begin(), members.end());
      std::erase_if(chosen, [&](const Process* process) { return !inside.contains(process); });
    } else {
      chosen = std::move(members);
    }
  }
  if (alive) std::erase_if(chosen, [&](const Process* process) { return process->alive() != *alive; });
  return chosen;
}

LineageService::Page LineageService::list_processes(const Dict& selector, const std::string& cursor,
                                                    std::uint32_t limit) const {
  const ProcessId after = parse_cursor(cursor);
  auto chosen = select(selector);
  if (!cursor.empty()) {
    std::erase_if(chosen, [&](const Process* process) { return !starts_before(after, process->id); });
  }
  // Only the page is put in order: each page of a large tree costs one pass, not one sort of everything.
  const std::size_t count = std::min<std::size_t>(limit == 0 ? kDefaultPage : limit, chosen.size());
  std::ranges::partial_sort(chosen, chosen.begin() + static_cast<std::ptrdiff_t>(count),
                            [](const Process* a, const Process* b) { return starts_before(a->id, b->id); });
  Page page;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Dict dict = process_dict(monitor_, *chosen[i]);
    size += wire_size(dict);
    if (size > kReplyLimit && i > 0) break;  // one process alone is always smaller: its argv is bounded
    page.processes.push_back(std::move(dict));
  }
  if (page.processes.size() < chosen.size()) page.next = chosen[page.processes.size() - 1]->id.text();
  return page;
}

}  // namespace aa
