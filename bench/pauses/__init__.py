"""When the host is away: a meter that sees it, and a filter that keeps it out of latencies.

On a shared host the hypervisor takes a CPU away for milliseconds at a time. Nothing runs
meanwhile, and what was under way ends late. The broker did not do that. Leaving out whole
trials, or whole seconds, leaves nothing on an ordinary cloud machine; leaving out messages
that look disturbed leaves out slow messages first, as a long life meets more pauses.

*The meter* (`meter`) sleeps for a millisecond on each CPU, at a priority above all workers, and
notes each wake that came more than half a millisecond late: a *pause*, from the wake before
to the late one. A pause of D is seen with probability (D - .5 ms)/1 ms, at most 1. It also notes
an ordinary wake now and then, a *probe*, which is compared with pauses: see below.

*Entry* (`filter`). A message enters the estimate if its *intended* time lies in no pause and in no drain
of one. After a pause of D a queue holds D's worth of messages and is empty again after
D·u/(1-u), where u is the offered rate over the broker's capacity, fixed before the trial; .5 ms are
added for pauses too short to see. So entry follows from meter and schedule alone, never from how
long a message took.

*Event or censored.* A message that entered is an event if it ends before the next pause begins;
then its latency is kept. Else it is censored: all that is known is that it took longer than from
its beginning to that pause. Both are counted into histograms, and `bench.stats.survival` makes
quantiles of them by Kaplan and Meier's estimator (1958). It assumes that pauses come without
regard to the broker. That is tested: were pauses likelier while the broker stalls, more messages
would be outstanding as a pause begins than at a probe.

Decisions come a moment late. Whether a pause has begun is known only once its CPU is back, so a
message is held until every CPU has woken after it ended; `board` is the memory in which that is seen.
"""
