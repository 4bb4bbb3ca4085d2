// Whether a kernel preempts programs, by its own words.
#include "probe/preemption.h"

#include "support/catch.h"

using aa::preempts;

TEST_CASE("preemption: what debugfs says of now counts, whatever the version says") {
  CHECK(preempts("none voluntary (full) lazy\n", "#1 SMP PREEMPT_DYNAMIC", "6.12.1"));
  CHECK(preempts("full (lazy)\n", "#1 SMP PREEMPT_DYNAMIC", "7.2.13"));
  CHECK_FALSE(preempts("none (voluntary) full\n", "#1 SMP PREEMPT_DYNAMIC", "6.12.1"));
  CHECK_FALSE(preempts("(none) voluntary full lazy\n", "#1 SMP PREEMPT_DYNAMIC", "7.2.13"));
}

TEST_CASE("preemption: without debugfs the version's words tell, and of those set at boot its number") {
  CHECK(preempts("", "#1 SMP PREEMPT_RT Debian", "6.1.0"));
  CHECK(preempts("", "#1 SMP PREEMPT Arch", "6.9.1"));
  CHECK(preempts("", "#1 SMP PREEMPT_DYNAMIC Debian", "7.2.13"));
  CHECK_FALSE(preempts("", "#1 SMP PREEMPT_DYNAMIC Debian", "6.12.90"));
  CHECK_FALSE(preempts("", "#1 SMP Debian", "5.10.0"));
}
