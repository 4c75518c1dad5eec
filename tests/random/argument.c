// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: where the kernel is told to read or write
 *
 * Each thread has a few pages that are mapped several times at addresses of their own:
 * writable, read-only, appearing and disappearing, with nothing mapped behind them. So
 * an argument has the same content at every address, and the program itself never
 * touches memory that is not there.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "random.h"

#define VIEW_PAGES	4
#define VIEW		(VIEW_PAGES * PAGE)
/* Each view is followed by a hole of its size. Nothing else is mapped so low. */
#define VIEWS		0x10000000UL
#define VIEWS_STRIDE	0x100000UL

#define SLOW_MS		400

enum view {
	VIEW_GOOD,
	VIEW_READ_ONLY,
	VIEW_VANISHING,
	VIEW_PROTECTED,
	VIEW_SLOW,
	NR_VIEWS,
};

const char *const place_names[NR_PLACES] = {
	"", "at the end", "crossing the end", "read-only", "vanishing", "slow",
	"protected", "unmapped", "NULL", "in the kernel", "nonsense",
};

static char *view(struct actor *actor, enum view view)
{
	return actor->views + view * 2 * VIEW;
}

static bool map_view(struct actor *actor, enum view which, int prot, int memfd)
{
	int flags = MAP_FIXED | (memfd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS :
					     MAP_SHARED);

	return mmap(view(actor, which), VIEW, prot, flags, memfd, 0) !=
	       MAP_FAILED;
}

/* The pages stay: other mappings have them. */
static bool move_view(char *from, char *to)
{
	return mremap(from, VIEW, VIEW, MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
	       MAP_FAILED;
}

/*
 * Take the page of an argument away while it is in use. The thread ends with the
 * process, as the one of the slow page does.
 */
static void *vanish(void *arg)
{
	struct actor *actor = arg;
	char *addr = view(actor, VIEW_VANISHING);
	char *away = addr + NR_VIEWS * 2 * VIEW;

	for (;;) {
		sem_wait(&actor->vanish);
		do {
			mprotect(addr, VIEW, PROT_READ);
			mprotect(addr, VIEW, PROT_READ | PROT_WRITE);
			usleep(rng_below(&actor->vanish_rng, 200));
			if (!move_view(addr, away))
				return NULL;
			usleep(rng_below(&actor->vanish_rng, 200));
			if (!move_view(away, addr))
				return NULL;
		} while (atomic_load(&actor->vanishing));
	}
}

/* Serve the slow page late or never; in the second case the process is killed. */
static void *serve_slow(void *arg)
{
	struct actor *actor = arg;
	struct rng rng = { (uintptr_t)actor->views ^ getpid() };
	struct pollfd poll_fd = { .fd = actor->slow_uffd, .events = POLLIN };
	struct uffd_msg msg;

	for (;;) {
		struct uffdio_copy copy = {
			.src = (uintptr_t)actor->slow, .len = PAGE,
		};
		double start;

		if (poll(&poll_fd, 1, -1) < 0 ||
		    read(actor->slow_uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		start = pace_seconds();
		usleep(rng_below(&rng, SLOW_MS) * 1000);
		if (rng_percent(&rng, 10))
			kill(getpid(), SIGKILL);
		copy.dst = msg.arg.pagefault.address & ~(PAGE - 1);
		ioctl(actor->slow_uffd, UFFDIO_COPY, &copy);
		atomic_fetch_add(&shared->asleep_us,
				 (long long)((pace_seconds() - start) * 1e6));
	}
	return NULL;
}

static bool watch_slow(struct actor *actor)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)view(actor, VIEW_SLOW), VIEW },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	/* Above all descriptors that the process closes at random */
	actor->slow_uffd = fcntl(fd, F_DUPFD_CLOEXEC, 200);
	close(fd);
	return actor->slow_uffd >= 0 &&
	       !ioctl(actor->slow_uffd, UFFDIO_API, &api) &&
	       !ioctl(actor->slow_uffd, UFFDIO_REGISTER, &range);
}

static bool helper(struct actor *actor, void *(*fn)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, actor))
		return false;
	pthread_detach(thread);
	return true;
}

/* Run once per thread and process: a child has views of its own. */
bool argument_start(struct actor *actor)
{
	int memfd = memfd_create("arguments", MFD_CLOEXEC);
	bool done;

	sem_init(&actor->vanish, 0, 0);
	actor->vanish_rng = (struct rng){ rng_next(&actor->rng) };
	actor->views = (char *)VIEWS + actor->index * VIEWS_STRIDE;
	done = memfd >= 0 && !ftruncate(memfd, VIEW) &&
	       map_view(actor, VIEW_GOOD, PROT_READ | PROT_WRITE, memfd) &&
	       map_view(actor, VIEW_READ_ONLY, PROT_READ, memfd) &&
	       map_view(actor, VIEW_VANISHING, PROT_READ | PROT_WRITE, memfd) &&
	       map_view(actor, VIEW_PROTECTED, PROT_NONE, memfd) &&
	       map_view(actor, VIEW_SLOW, PROT_READ | PROT_WRITE, -1);
	if (done)
		actor->content = mmap(NULL, VIEW, PROT_READ | PROT_WRITE,
				      MAP_SHARED, memfd, 0);
	close(memfd);
	return done && actor->content != MAP_FAILED && watch_slow(actor) &&
	       helper(actor, vanish) && helper(actor, serve_slow);
}

/* Only one thread in all may keep the kernel waiting, so that the time is known. */
static bool hold(struct actor *actor)
{
	int none = 0;
	int holder;

	if (atomic_compare_exchange_strong(&shared->holder, &none,
					   actor->trail->tid))
		return true;
	/* The holder was killed. */
	holder = none;
	return kill(holder, 0) && errno == ESRCH &&
	       atomic_compare_exchange_strong(&shared->holder, &holder,
					      actor->trail->tid);
}

static enum place choose_place(struct actor *actor, size_t len)
{
	enum place place = PLACE_GOOD;

	if (!actor->careful && rng_percent(&actor->rng, 30))
		place = rng_below(&actor->rng, NR_PLACES);
	if (place == PLACE_SLOW && (len > PAGE || !hold(actor)))
		place = PLACE_GOOD;
	return place;
}

/*
 * Return an address where @content is, @len bytes as far as they fit. The kernel may
 * write there, too: argument_result() reads it back.
 */
void *argument(struct actor *actor, const void *content, size_t len)
{
	struct rng *rng = &actor->rng;

	if (len > VIEW)
		len = VIEW;
	actor->place = choose_place(actor, len);
	actor->at = VIEW - len;
	if (actor->place == PLACE_GOOD)
		actor->at = rng_below(rng, VIEW - len + 1) & ~7UL;
	if (actor->place == PLACE_CROSSING && len)
		actor->at += rng_range(rng, 1, len);
	memcpy(actor->content + actor->at, content,
	       len < VIEW - actor->at ? len : VIEW - actor->at);
	switch (actor->place) {
	case PLACE_READ_ONLY:
		return view(actor, VIEW_READ_ONLY) + actor->at;
	case PLACE_VANISHING:
		atomic_store(&actor->vanishing, true);
		sem_post(&actor->vanish);
		return view(actor, VIEW_VANISHING) + actor->at;
	case PLACE_PROTECTED:
		return view(actor, VIEW_PROTECTED) + actor->at;
	case PLACE_SLOW:
		memcpy(actor->slow, content, len);
		return view(actor, VIEW_SLOW);
	case PLACE_UNMAPPED:
		return view(actor, VIEW_GOOD) + VIEW + PAGE;
	case PLACE_NULL:
		return NULL;
	case PLACE_KERNEL:
		return (void *)(0xffff888000000000UL + rng_below(rng, 1UL << 30));
	case PLACE_NONSENSE:
		return (void *)rng_next(rng);
	default:
		return view(actor, VIEW_GOOD) + actor->at;
	}
}

/* Read the content back. Return false if it cannot be seen. */
bool argument_result(struct actor *actor, void *result, size_t len)
{
	if (len > VIEW - actor->at || actor->place > PLACE_VANISHING)
		return false;
	memcpy(result, actor->content + actor->at, len);
	return true;
}

/* Clean up after the system call. */
void argument_end(struct actor *actor)
{
	atomic_store(&actor->vanishing, false);
	if (actor->place != PLACE_SLOW)
		return;
	/* Make the page missing again. */
	madvise(view(actor, VIEW_SLOW), VIEW, MADV_DONTNEED);
	atomic_store(&shared->holder, 0);
}

/* Run a command without an argument; in half of the cases pass one anyway. */
long do_plain_ioctl(struct actor *actor, int fd, unsigned int command)
{
	struct step *step = trail_step(actor->trail, "ioctl", fd, command, "");
	long ret = ioctl(fd, command, rng_below(&actor->rng, 2));

	ret = ret < 0 ? -errno : ret;
	atomic_store(&step->result, ret);
	return ret;
}

/* Run a command with an argument at any place, and copy back what the kernel writes. */
long do_ioctl(struct actor *actor, int fd, unsigned int command, void *content,
	      size_t len)
{
	void *where = argument(actor, content, len);
	struct step *step = trail_step(actor->trail, "ioctl", fd, command,
				       place_names[actor->place]);
	long ret;

	arm_failure(actor);
	ret = end_call(actor, step, ioctl(fd, command, where));
	if (ret >= 0 && content && !argument_result(actor, content, len))
		ret = -ENODATA;
	argument_end(actor);
	return ret;
}
