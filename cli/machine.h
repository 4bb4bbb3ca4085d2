// cli/machine.h: what the kernel, its configuration and these privileges say by themselves, before anything is tried.
#pragma once

#include <string>
#include <vector>

namespace aa {

struct Finding {
  std::string about;
  bool good = true;
  std::string found;
  std::string advice;  // "" when there is nothing to change
};

std::vector<Finding> machine_findings();

// What to do about a program that was refused with this errno.
std::string advice_for_probe(int error_number);

}  // namespace aa
