// control/lineage_service.h: answers about processes.
//
// Comes in: arguments of org.agentassembly.Ebpfd1.Lineage, already allowed. Goes out: values for the reply, or Refused.
// Reads the Monitor and changes nothing. Each call costs at most one pass over the lineage.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "control/types.h"
#include "state/monitor.h"

namespace aa {

class LineageService {
 public:
  explicit LineageService(const Monitor& monitor) : monitor_(monitor) {}

  Dict get_process(std::uint32_t pid) const;
  std::vector<ProcessRow> get_ancestry(std::uint32_t pid) const;
  std::vector<ProcessRow> get_descendants(std::uint32_t pid, std::uint32_t depth) const;
  bool is_descendant_of(std::uint32_t pid, std::uint32_t ancestor) const;
  std::vector<ProcessRow> get_tree(const std::string& target) const;

  struct Page {
    std::vector<Dict> processes;
    std::string next;  // "" after the last page
  };
  // The cursor is the id of the last process already given, in order of (start, pid): it needs no memory here and stays
  // valid when that process is forgotten.
  Page list_processes(const Dict& selector, const std::string& cursor, std::uint32_t limit) const;

 private:
  const Process& resolve(std::uint32_t pid) const;
  const Target& resolve_target(const std::string& text) const;
  std::vector<const Process*> select(const Dict& selector) const;
  std::vector<const Process*> subtree(const Process& root, std::uint32_t depth) const;

  const Monitor& monitor_;
};

}  // namespace aa
