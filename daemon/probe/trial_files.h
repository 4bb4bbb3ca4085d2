// probe/trial_files.h: one of everything that can be done with files, in a folder of our own.
//
// For the self-test: what a program that is attached must have run at. Leaves nothing behind.
#pragma once

#include <string>

namespace aa {

class TrialFolder {
 public:
  // Below /run or /tmp; path() is empty where neither can be written to.
  TrialFolder();
  ~TrialFolder();
  TrialFolder(const TrialFolder&) = delete;
  TrialFolder& operator=(const TrialFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// In a child, which it leaves in another folder. Only async-signal-safe calls; what fails is seen as well as what
// works.
void use_files_in(const char* folder);

}  // namespace aa
