/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a page request group, as a model for spin
 *
 * One device with one PASID and its PASID queue, two group indices, and workers of the
 * pool, of which two are threads here. What iopf/ does in one hold of iopf_device.lock is
 * one atomic step here, and any other process may run between two steps. Each part names
 * the functions that it stands for in lists "Stands for:"; names.sh checks that iopf/ has
 * them.
 *
 * Checked, in every order of steps:
 *
 *   one response    the device gets a response for an index only while it waits for
 *                   one, and does not wait for one when no process can continue
 *   lifetimes       a group, a PASID queue, a device, an address space or an attach
 *                   handle is not accessed after its last reference, and none is leaked
 *   no lost wakeup  when no process can continue, no group is queued while there is a
 *                   worker for it, and no response is deferred
 *   followers       a group follows a worker only while that worker handles the page
 *   flush, removal  on return the responses claimed before are sent; after a removal
 *                   there are no others, and no worker still sleeps
 *   timeouts        a worker whose group has timed out continues to sleep
 *   PASID reuse     a PASID gets a new owner only when no group of the old one is
 *                   left, and a fault is handled in the mm that the device meant
 *
 * A scenario is a set of -D: DEADLINE, FLUSH, FLUSH_DEV, UNBIND, REMOVAL, HANDLER,
 * SLEEP, OTHERS, CROWD, WHOLE, and sizes; see model.sh. Each BROKEN_... breaks one
 * thing, which spin must notice.
 *
 * The monitor runs whenever it would change something. Otherwise it is left out, as
 * repeated runs without effect would hide that no process can continue.
 *
 * BROKEN_DEFER is a mistake that iopf/ once had: whether the PASID queue is starved was
 * checked after its last group was taken, which ends that state.
 *
 * Not in the model: limits, the requests inside a group, and idle PASID queues, which are
 * freed at once here.
 */
#define NR_GROUPS	3
#define NR_WORKERS	2
#define NONE		15

#ifndef REPORTS
#define REPORTS		3
#endif
#ifndef NR_INDICES
#define NR_INDICES	2
#endif
#if NR_INDICES > 2
#define more_indices	!owed[2]
#define more_owed	owed[2]
#else
#define more_indices	false
#define more_owed	false
#endif
/* Workers of the queue, and sleepers that the PASID queue may have for each free one */
#ifndef POOL
#define POOL		3
#endif
#define PER_FREE	1
#ifdef CROWD
#define NR_CPUS		2
#else
#define NR_CPUS		1
#endif

/* enum iopf_owner */
mtype = { ASSEMBLING, QUEUED, WORKER, DOMAIN, CLAIMED };

/*
 * struct iopf_prg. @deferred: in iopf_pasid_queue.claimed; @counted: by the struct
 * iopf_flush of the unbinder or flusher and of the remover. The last four members
 * belong to the model: the address space that the device meant; the device waits for
 * the response; the response is being sent; a flush or a removal must wait for it.
 */
typedef Group {
	bool live;
	byte users;
	mtype owner;
	bool in_table;
	byte index;
	byte mm;
	bool deferred;
	byte follows = NONE;
	byte pq;
	bool counted[2];
	byte meant;
	bool last;
	bool unsent;
	bool must[2]
};

/* A thread runs, sleeps for a while, or sleeps until it is interrupted. */
#define RUNS		0
#define SLEEPS		1
#define SLEEPS_ON	2

/*
 * A worker is in the pool, queued (or polling), at work, on its way to the pool, or
 * parked.
 */
#define FREE		0
#define WAITING		1
#define WORKING		2
#define ENDING		3
#define PARKED		4

/*
 * struct iopf_worker and its thread. @notify: it was interrupted; @asleep: it was seen
 * asleep; @sleep: the scheduler's state.
 */
typedef Worker {
	byte state;
	byte prg = NONE;
	bool notify;
	bool asleep;
	byte sleep;
	byte pq
};

Group prg[NR_GROUPS];
Worker worker[NR_WORKERS];

/* struct iopf_pasid_queue. A new one has another number. */
byte pq_nr = 1;
bool pq_live;
byte pq_users;
bool pq_ready;
bool pq_starved;
bool pq_busy;
byte pq_responding;

/* struct iopf_device. Its first reference is that of the queue. */
byte dev_users = 1;
bool dev_dead;
bool table_live = true;
bool published = true;
byte readers;
byte responding;
bool woken[2];
bool timeout_armed;
bool timeout_work;
bool removed;

/* struct iopf_flush of the unbinder or flusher, and of the remover */
bool flushing[2];
byte flush_responding[2];

/* iopf_device.monitoring, or CANCELLED by the device's removal */
byte monitoring;
#define CANCELLED	2
bool room;

/* struct iopf_pool: workers that other devices use; the device waits for one. */
byte others;
bool dev_starved;

/* The device: responses that it waits for, and requests that it may still send */
byte owed[NR_INDICES];
byte left = REPORTS;
bool interrupted;
byte reporting;

/* Two processes, 1 and 2; the owner of the PASID, and the one attached to it */
byte mm_users[3];
byte mm_count[3];
byte owner;
byte handle;

byte handler_prg = NONE;
bool rebound;

#define use_group(g)	assert(prg[g].live)
#define use_pq(nr)	assert(pq_live && pq_nr == nr)
/* Its memory is freed after the last reference and the last RCU reader. */
#define use_dev()	assert(dev_users || readers)

/* Stands for: iopf_pq_ref */
inline hold_pq()
{
	pq_users++
}

/* Stands for: iopf_pq_put iopf_pq_erase */
inline drop_pq(nr)
{
	use_pq(nr);
	assert(pq_users);
	pq_users--;
	if
	:: !pq_users ->
		assert(!pq_responding);
		assert(!pq_ready && !pq_starved);
		pq_live = false;
		pq_busy = false;
		pq_nr++
	:: else
	fi
}

/* Stands for: iopf_device_put iopf_pqs_destroy */
inline put_dev()
{
	assert(dev_users);
	dev_users--;
	assert(dev_users || !pq_live)
}

/* mmdrop(); __mmdrop() frees the PASID. */
inline drop_mm(m)
{
	assert(mm_count[m]);
	mm_count[m]--;
#ifndef BROKEN_PASID
	if
	:: !mm_count[m] && owner == m -> owner = 0
	:: else
	fi
#endif
}

/* mmput() */
inline put_mm(m)
{
	assert(mm_users[m]);
	mm_users[m]--;
	if
	:: !mm_users[m] -> drop_mm(m)
	:: else
	fi
}

/* Stands for: iopf_prg_put iopf_prg_drop iopf_prg_keep */
inline put_group(g)
{
	use_group(g);
	assert(prg[g].users);
	prg[g].users--;
	if
	:: !prg[g].users ->
		assert(!prg[g].in_table && prg[g].owner == CLAIMED);
		prg[g].live = false;
#ifndef BROKEN_MMGRAB
		if
		:: prg[g].mm == 1 -> drop_mm(1)
		:: prg[g].mm == 2 -> drop_mm(2)
		:: else
		fi;
#endif
		prg[g].owner = 0;
		prg[g].index = 0;
		prg[g].mm = 0;
		prg[g].meant = 0;
		prg[g].pq = 0;
		prg[g].last = false;
		put_dev()
	:: else
	fi
}

#ifdef BROKEN_DEAD
#define IS_DEAD		false
#else
#define IS_DEAD		dev_dead
#endif

/* Stands for: iopf_prg_find */
inline find(idx, found)
{
	use_dev();
	found = NONE;
	if
	:: IS_DEAD
	:: else ->
		assert(table_live);
		for (f : 0 .. NR_GROUPS - 1) {
			if
			:: prg[f].in_table && prg[f].index == idx -> found = f
			:: else
			fi
		}
	fi;
	f = 0
}

/* In iopf_pasid_queue.queue, not in the list of a worker that it follows */
#define is_queued(g)	(prg[g].owner == QUEUED && prg[g].follows == NONE)
#define any_queued	(is_queued(0) || is_queued(1) || is_queued(2))
#define any_deferred	(prg[0].deferred || prg[1].deferred || prg[2].deferred)
/* The response of the only group is sent before the worker looks for others. */
#define is_alone	(!any_queued && \
			 prg[0].deferred + prg[1].deferred + prg[2].deferred == 1)
#define is_followed(w)	\
	(prg[0].follows == w || prg[1].follows == w || prg[2].follows == w)

/* Stands for: iopf_prg_set_owner iopf_prg_check_owner */
inline set_owner(g, to)
{
	assert((prg[g].owner == ASSEMBLING &&
		(to == QUEUED || to == DOMAIN || to == CLAIMED)) ||
	       (prg[g].owner == QUEUED && (to == WORKER || to == CLAIMED)) ||
	       (prg[g].owner == WORKER && to == CLAIMED) ||
	       (prg[g].owner == DOMAIN && to == CLAIMED));
	prg[g].owner = to
}

#define nr_used		\
	((worker[0].state != FREE) + (worker[1].state != FREE))
#define nr_free		(POOL - others - nr_used)
#define nr_asleep	(worker[0].asleep + worker[1].asleep)
#ifdef BROKEN_WANTED
#define is_awake(w)	(worker[w].state == WORKING)
#else
#define is_awake(w)	(worker[w].state == WORKING && !worker[w].asleep)
#endif
#define pq_awake	\
	((worker[0].pq && is_awake(0)) + (worker[1].pq && is_awake(1)))
#define any_waiting	\
	(worker[0].state == WAITING || worker[1].state == WAITING)
/* Stands for: iopf_nr_active */
#define nr_active	\
	(is_awake(0) + is_awake(1) +					\
	 (worker[0].state == WAITING) + (worker[1].state == WAITING))

/* Stands for: iopf_pool_allows iopf_pool_has_room */
#define has_room(more)	\
	(nr_free >= (more) && nr_asleep <= PER_FREE * (nr_free - (more)))
#define refuses_sleeper	(nr_asleep && !has_room(1))
/* Stands for: iopf_pool_get */
#define has_worker	(nr_free && !refuses_sleeper)

#define any_parked	(worker[0].state == PARKED || worker[1].state == PARKED)
#define has_thread	(worker[0].state == FREE || worker[1].state == FREE)

/* Stands for: iopf_pool_starve */
inline starve_dev()
{
	if
	:: !dev_starved -> dev_starved = true; dev_users++
	:: else
	fi
}

/* Stands for: iopf_pq_clear_ready */
inline withdraw()
{
	pq_ready = false;
	pq_starved = false
}

/* Stands for: iopf_pq_starve */
inline starve_pq()
{
	pq_ready = false;
	pq_starved = true
}

/* Stands for: iopf_pq_make_ready iopf_pq_wants */
inline offer()
{
	if
	:: any_queued && !pq_ready && !pq_starved && !pq_awake ->
		pq_ready = true
#ifdef CROWD
	/* The queue may be long. */
	:: any_queued && !pq_ready && !pq_starved && pq_awake ->
		if
		:: pq_ready = true
		:: true
		fi
#endif
	:: else
	fi
}

#define is_wanted	(pq_ready && !any_waiting && nr_active < NR_CPUS)
/* In this case more_workers() changes something. */
#define more_helps	\
	(has_worker || any_parked || refuses_sleeper || !nr_active || !dev_starved)

/* Stands for: iopf_worker_get iopf_worker_queue */
inline more_workers()
{
	if
	:: has_worker && has_thread ->
		f = (worker[0].state == FREE -> 0 : 1);
		worker[f].state = WAITING;
		dev_users++
	/* The queue has more workers than this model; one of these is about to end. */
	:: has_worker && !has_thread ->
		assert(worker[0].state == ENDING || worker[1].state == ENDING)
	:: else ->
		starve_dev();
		if
		/*
		 * A worker that is awake may serve the PASID queue, or comes back to
		 * the pool.
		 */
		:: refuses_sleeper || !nr_active -> starve_pq()
		:: else
		fi
	fi;
	f = 0
}

/* Stands for: iopf_unpark iopf_park_wait */
inline unpark()
{
	if
	:: worker[0].state == PARKED -> worker[0].state = WAITING
	:: worker[1].state == PARKED -> worker[1].state = WAITING
	fi
}

/* A worker that is parked may be on a CPU that is too far away. */
#define may_add		(!any_parked || has_thread)

/* Stands for: iopf_worker_wanted iopf_has_parked */
inline want_worker()
{
	if
	:: is_wanted && any_parked -> unpark()
	:: is_wanted && may_add -> more_workers()
	:: else
	fi
}

/* Stands for: iopf_monitor_start */
inline start_monitor()
{
	if
	:: !monitoring -> monitoring = true; dev_users++
	:: else
	fi
}

/* Stands for: iopf_monitor_pq */
inline monitor_pq()
{
	pq_busy = true;
	start_monitor()
}

/*
 * Whether a worker is asleep is the scheduler's state. The thread reads @asleep after
 * it has slept, and here the state is read again after @asleep is set; BROKEN_NOTE does
 * not.
 *
 * Stands for: iopf_worker_note_asleep
 */
#ifdef BROKEN_NOTE
#define seems_asleep(w)	(worker[w].prg != NONE && !worker[w].asleep)
#else
#define seems_asleep(w)	(worker[w].sleep && !worker[w].asleep)
#endif

/*
 * One of the sleeping workers may be noticed.
 *
 * Stands for: iopf_pq_note_asleep
 */
inline note_asleep()
{
	if
	:: seems_asleep(0) -> worker[0].asleep = true
	:: seems_asleep(1) -> worker[1].asleep = true
	:: true
	fi
}

/* Stands for: iopf_worker_woke iopf_release_followers */
inline woke(w)
{
	worker[w].asleep = false;
	for (f : 0 .. NR_GROUPS - 1) {
		if
		:: prg[f].follows == w ->
			assert(prg[f].live && prg[f].owner == QUEUED);
			prg[f].follows = NONE;
			monitor_pq()
		:: else
		fi
	}
	f = 0;
	if
	:: pq_starved && has_room(1) -> withdraw(); monitor_pq()
	:: else
	fi;
	offer()
}

/* Stands for: iopf_claim iopf_prg_remove iopf_prg_unqueue */
inline claim(g, won)
{
	use_group(g);
	if
#ifndef BROKEN_CLAIM
	:: prg[g].owner == CLAIMED -> won = false
	:: else ->
#else
	:: true ->
#endif
		use_pq(prg[g].pq);
#ifndef BROKEN_INDEX
		prg[g].in_table = false;
#endif
		/* The reference of the PASID queue */
		if
		:: prg[g].owner == QUEUED ->
			prg[g].users--;
			assert(prg[g].users);
#ifndef BROKEN_UNFOLLOW
			prg[g].follows = NONE
#endif
		:: else
		fi;
#ifdef BROKEN_CLAIM
		prg[g].owner = CLAIMED;
#else
		set_owner(g, CLAIMED);
#endif
		if
		:: !any_queued -> withdraw()
		:: else
		fi;
		pq_responding++;
		responding++;
		prg[g].unsent = true;
		won = true
	fi
}

/* Stands for: iopf_tell_responded */
inline flush_responded(g, me)
{
	if
	:: flushing[me] && prg[g].counted[me] ->
		prg[g].counted[me] = false;
		assert(flush_responding[me]);
		flush_responding[me]--;
		if
		:: !flush_responding[me] -> woken[0] = true; woken[1] = true
		:: else
		fi
	:: else
	fi
}

/* Stands for: iopf_end_responses */
inline end_response(g)
{
	use_group(g);
	use_dev();
	assert(pq_responding && responding);
	pq_responding--;
	responding--;
	flush_responded(g, 0);
	flush_responded(g, 1);
	prg[g].unsent = false;
	prg[g].must[0] = false;
	prg[g].must[1] = false;
#ifdef BROKEN_INDEX
	prg[g].in_table = false;
#endif
	drop_pq(prg[g].pq)
}

/* The driver's page_response(). Unfinished groups may have a response, too. */
inline page_response(idx, waits)
{
	if
	:: waits ->
		assert(owed[idx]);
		owed[idx] = 0
	:: else
	fi
}

/* Stands for: iopf_send iopf_send_each */
inline send(g)
{
	atomic {
		use_group(g);
		assert(!removed);
		page_response(prg[g].index, prg[g].last)
	};
	atomic {
		end_response(g);
		put_group(g)
	}
}

/* The same without a response: IOPF_RESP_NONE */
inline forget(g)
{
	atomic {
		end_response(g);
		put_group(g)
	}
}

/* Stands for: iopf_respond iopf_group_response */
inline response(g)
{
	atomic { claim(g, won) };
	if
	:: won -> won = false; send(g)
	:: else
	fi
}

/* Stands for: iopf_worker_interrupt */
inline interrupt_worker(w)
{
#ifdef BROKEN_INTERRUPT
	skip
#else
	worker[w].notify = true
#endif
}

/* Stands for: iopf_cancel */
inline claim_early(g)
{
	was = prg[g].owner;
	claim(g, won);
	won = false;
	if
	:: was == WORKER && worker[0].prg == g -> interrupt_worker(0)
	:: was == WORKER && worker[1].prg == g -> interrupt_worker(1)
	:: else
	fi;
	was = 0
}

#define has_claimed(w)	\
	(worker[w].prg != NONE && prg[worker[w].prg].owner == CLAIMED)

/*
 * Interrupt also workers whose groups a timeout has claimed.
 *
 * Stands for: iopf_pq_interrupt
 */
inline interrupt_pq()
{
#ifdef BROKEN_REACH
	skip
#else
	if
	:: has_claimed(0) -> interrupt_worker(0)
	:: else
	fi;
	if
	:: has_claimed(1) -> interrupt_worker(1)
	:: else
	fi
#endif
}

/*
 * The hardware, and the driver's interrupt thread. A device sends requests for an index
 * that does not wait for a response.
 *
 * Stands for: iommu_report_device_fault iopf_report_run iopf_device_rcu
 *	iopf_add_request iopf_start_group iopf_prg_new iopf_pq_get iopf_find_handle
 *	iopf_timeout_start iopf_prg_complete iopf_route iopf_pq_queue_group iopf_deliver
 *	iopf_refuse
 */
proctype reporter()
{
	byte idx;
	bool last;
	byte g = NONE;
	byte h;
	byte meant;
	byte f;
	bool won;
	bool complete;

end:	do
	:: atomic {
		left && !interrupted && (!owed[0] || !owed[1] || more_indices) ->
		left--;
		reporting++;
		if
		:: !owed[0] -> idx = 0
		:: !owed[1] -> idx = 1
#if NR_INDICES > 2
		:: !owed[2] -> idx = 2
#endif
		fi;
		if
		:: last = true; owed[idx] = 1
#ifndef WHOLE
		:: last = false
#endif
		fi;
		meant = owner
	   };
	   atomic {
		if
		:: published -> readers++
		:: else -> goto refuse
		fi
	   };
	   /* iopf/ reads it under the lock, too, which does not exclude a detach. */
	   h = handle;
	   atomic {
		find(idx, g);
		if
		:: g == NONE && !IS_DEAD &&
		   !(prg[0].live && prg[1].live && prg[2].live) ->
			g = (prg[0].live -> (prg[1].live -> 2 : 1) : 0);
			use_dev();
			dev_users++;
			prg[g].live = true;
			prg[g].users = 1;
			prg[g].owner = ASSEMBLING;
			prg[g].index = idx;
			prg[g].meant = meant;
			pq_live = true;
			hold_pq();
			prg[g].pq = pq_nr;
			/* Callers keep the handle until they have flushed. */
			assert(h == handle);
			if
			:: h ->
				assert(mm_count[h]);
				prg[g].mm = h;
#ifndef BROKEN_MMGRAB
				mm_count[h]++
#endif
			:: else
			fi;
			prg[g].in_table = true;
#ifdef DEADLINE
			if
#ifdef BROKEN_TIMEOUT
			:: timeout_armed || last
#else
			:: timeout_armed
#endif
			:: else ->
				timeout_armed = true;
				timeout_work = true;
				dev_users++
			fi
#endif
		:: else
		fi;
		h = 0;
		if
		:: g != NONE && prg[g].owner != ASSEMBLING ->
			/* -EEXIST: this device does not make that mistake. */
			assert(false)
		:: g != NONE && prg[g].owner == ASSEMBLING && last ->
			use_pq(prg[g].pq);
			prg[g].last = true;
#ifndef BROKEN_REFERENCE
			prg[g].users++;
#endif
			if
			:: prg[g].mm ->
				set_owner(g, QUEUED);
#ifndef BROKEN_PUSH
				monitor_pq();
#endif
				note_asleep();
				offer();
				want_worker();
				g = NONE
			:: else -> set_owner(g, DOMAIN); complete = true
			fi;
			last = false
		:: g != NONE && prg[g].owner == ASSEMBLING && !last -> g = NONE
		:: else
		fi;
		readers--
	   };
	   if
	   :: complete ->
		complete = false;
		if
#ifdef HANDLER
		:: atomic { handler_prg == NONE -> use_group(g); handler_prg = g }
#endif
		:: true ->
			response(g);
			atomic { put_group(g) }
		fi
	   :: else
	   fi;
refuse:	   atomic {
		/* A last request that has joined no group */
		page_response(idx, last);
		last = false;
		g = NONE;
		meant = 0;
		idx = 0;
		reporting--
	   }
	od
}

/*
 * The caller sends the deferred responses.
 *
 * Stands for: iopf_pq_take_deferred
 */
inline take_deferred()
{
	for (f : 0 .. NR_GROUPS - 1) {
		mine[f] = mine[f] || prg[f].deferred;
		prg[f].deferred = false
	}
	f = 0
}

/* Responses that the thread has taken and not sent yet */
#define has_mine	(mine[0] || mine[1] || mine[2])

inline send_deferred()
{
	do
	:: f < NR_GROUPS && mine[f] -> mine[f] = false; send(f); f++
	:: f < NR_GROUPS && !mine[f] -> f++
	:: f == NR_GROUPS -> f = 0; break
	od
}

/*
 * Take a group from the PASID queue, in g, unless it follows a worker that was seen
 * asleep for the same page, or there is no room for another sleeper.
 *
 * Stands for: iopf_worker_take iopf_pq_unqueue iopf_prg_follow iopf_find_sleeper
 *	iopf_pool_has_room iopf_pool_allows
 */
inline take(w)
{
	do
	:: atomic {
		if
		:: is_queued(0) -> g = 0
		:: is_queued(1) -> g = 1
		:: is_queued(2) -> g = 2
		:: else -> g = NONE; break
		fi;
		use_group(g);
		if
		:: worker[0].asleep -> prg[g].follows = 0
		:: worker[1].asleep -> prg[g].follows = 1
		:: true -> break
		fi;
		g = NONE
	   }
	od;
	if
	:: g != NONE && nr_asleep && !has_room(0) ->
		starve_dev();
		starve_pq();
		g = NONE
	:: g != NONE && !(nr_asleep && !has_room(0)) ->
#ifndef BROKEN_OWNER
		set_owner(g, WORKER);
#endif
		worker[w].prg = g
	:: else
	fi;
	if
	:: !any_queued -> withdraw()
	:: else
	fi
}

/* Stands for: iopf_worker_enter_pq */
inline enter_pq(w)
{
	withdraw();
	worker[w].pq = pq_nr;
#ifndef BROKEN_PQ_USE
	hold_pq()
#endif
}

/* Stands for: iopf_worker_leave_pq */
inline leave_pq(w)
{
	take_deferred();
	old_pq = worker[w].pq;
	worker[w].pq = 0;
	offer();
#ifndef BROKEN_PQ_USE
	drop_pq(old_pq);
#endif
	old_pq = 0
}

/* A worker has come back: all devices that wait for one retry. */
inline tell()
{
	if
#ifdef BROKEN_FIRST
	/* Another device has waited for longer, and does nothing. */
	:: told -> told = false; dev_starved = true
#endif
	:: told ->
		told = false;
		room = true;
		start_monitor();
		put_dev()
	:: else
	fi
}

/* Stands for: iopf_park */
#define may_park	(!any_parked && monitoring == true && nr_free)

/*
 * Look for a group for a worker, in g, in its PASID queue unless its turn is over, and
 * then in that which is ready. Without one the worker ends, or polls.
 *
 * Stands for: iopf_worker_next iopf_worker_find iopf_worker_end
 */
inline look(w)
{
	if
	:: worker[w].pq -> take(w)
	:: true
	fi;
	if
	:: worker[w].pq && g == NONE -> leave_pq(w)
	:: else
	fi;
	if
	:: g == NONE && pq_ready ->
		enter_pq(w);
		take(w);
		if
		:: g == NONE -> leave_pq(w)
		:: else
		fi
	/* Its time slice is over. */
	:: g == NONE && total
	:: else
	fi;
	if
	:: g != NONE ->
		offer();
#ifdef BROKEN_DEFER
		if
		:: pq_starved -> take_deferred()
		:: else
		fi;
#else
		if
		:: any_deferred && !pq_busy -> take_deferred()
		:: else
		fi;
#endif
		if
		:: any_deferred -> take_deferred()
		:: true
		fi
	:: else
	fi;
	if
	:: g == NONE ->
		worker[w].state = ENDING;
		if
		:: alone && !has_mine && !pq_ready && !nr_active && !dev_dead ->
			/* The worker polls, or is parked. */
			if
			:: worker[w].state = WAITING
			:: may_park -> worker[w].state = PARKED
			fi
		:: true
		fi
	:: else
	fi;
	want_worker()
}

/*
 * A worker and its thread. It may end, and may send its deferred responses, after any
 * group.
 *
 * Stands for: iopf_worker_fn iopf_worker_begin iopf_worker_run iopf_worker_finish
 *	iopf_worker_claim iopf_worker_send_alone iopf_mm_enter iopf_fault_group
 *	iopf_fault_page iopf_worker_leave_page iopf_mm_leave iopf_pool_put
 */
proctype thread(byte w)
{
	bool mine[NR_GROUPS];
	byte g = NONE;
	byte old = NONE;
	byte old_pq;
	byte m;
	byte f;
	bool won;
	bool total;
	bool alone;
	bool told;

end:	do
	:: atomic {
		worker[w].state == WAITING ->
		use_dev();
		worker[w].state = WORKING;
		total = false
	   };
step:	   atomic {
		old = worker[w].prg;
		worker[w].prg = NONE;
		g = NONE;
		if
		:: old != NONE ->
			use_pq(worker[w].pq);
			total = true;
#ifndef BROKEN_INTERRUPTED
			if
			:: worker[w].asleep -> woke(w)
			:: else
			fi;
#endif
#ifndef BROKEN_CLEAR
			worker[w].notify = false;
#endif
			claim(old, won);
			if
			:: won ->
				won = false;
				prg[old].deferred = true;
				prg[old].users--;
				assert(prg[old].users);
				old = NONE
			:: else
			fi;
			alone = is_alone
		:: else
		fi;
		if
		:: alone -> take_deferred()
		:: else -> look(w)
		fi
	   };
	   if
	   :: alone ->
		send_deferred();
#ifdef BROKEN_LONE
		/* It does not look again, and does not leave the PASID queue. */
		atomic { worker[w].state = ENDING; want_worker() }
#else
		atomic { look(w) }
#endif
	   :: else
	   fi;
	   if
	   :: old != NONE -> atomic { put_group(old); old = NONE }
	   :: else
	   fi;
	   send_deferred();
	   if
	   :: g != NONE ->
		atomic {
			use_group(g);
			m = prg[g].mm;
			assert(mm_count[m] && m == prg[g].meant);
			/* An interruption that was meant for another fault */
			assert(!worker[w].notify || prg[g].owner == CLAIMED);
			if
			:: mm_users[m] -> mm_users[m]++
			:: else -> m = 0
			fi
		};
		if
		:: m ->
#ifdef SLEEP
			/* One page after the other */
			do
			:: break
			:: atomic {
				/* Followers wait for the page before. */
				assert(!is_followed(w));
				if
				:: worker[w].sleep = SLEEPS
				:: worker[w].sleep = SLEEPS_ON
				fi
			   };
endless:		   atomic {
				worker[w].sleep == SLEEPS || worker[w].notify ->
				worker[w].sleep = RUNS;
#if !defined(FLUSH) && !defined(FLUSH_DEV) && !defined(REMOVAL)
				/* A timeout does not interrupt a worker. */
				assert(!worker[w].notify)
#endif
			   };
			   if
			   :: worker[w].notify -> break
			   :: else
			   fi;
#ifndef BROKEN_LEAVE
			   atomic {
				if
				:: worker[w].asleep -> woke(w); want_worker()
				:: else
				fi
			   }
#endif
			od;
#endif
			atomic { put_mm(m); m = 0 }
		:: else
		fi;
#ifdef BROKEN_CLEAR
		worker[w].notify = false;
#endif
		goto step
	   :: else
	   fi;
	   if
	   :: worker[w].state == ENDING ->
		atomic {
			worker[w].state = FREE;
			alone = false;
#ifndef BROKEN_ROOM
			told = dev_starved;
			dev_starved = false
#endif
		};
		atomic { tell(); put_dev() }
	   :: else
	   fi
	od
}

/* Another device on the queue needs a worker, for a while or for ever. */
proctype other()
{
	bool told;

	atomic {
		if
		:: nr_free -> others++
		:: goto quit
		fi
	};
	if
	:: atomic {
		others--;
#ifndef BROKEN_ROOM
		told = dev_starved;
		dev_starved = false
#endif
	   };
	   atomic { tell() }
	:: true
	fi;
quit:	skip
}

#ifdef BROKEN_MONITOR
#define starts_worker	false
#else
#define starts_worker	is_wanted
#endif
#ifdef BROKEN_UNSENT
#define sends_deferred	false
#else
#define sends_deferred	any_deferred
#endif

/* The monitor would change something. Otherwise it does not run. */
#define monitor_matters	\
	(room || seems_asleep(0) || seems_asleep(1) || !pq_busy ||	\
	 sends_deferred || !any_queued || pq_starved ||			\
	 (!pq_ready && !pq_awake) || (starts_worker && more_helps))

/*
 * The monitor runs every two or four milliseconds while there is a reason. Its timer
 * checks for one without the lock, which only delays it: here it may run at any time.
 *
 * Stands for: iopf_monitor_timer_fn iopf_monitor_fn iopf_retry_starved
 *	iopf_check_sleepers iopf_check_pqs iopf_get_workers
 */
proctype monitor()
{
	bool mine[NR_GROUPS];
	byte f;
	bool again;

end:	do
	:: atomic {
		monitoring == true && monitor_matters ->
		use_dev();
		if
		:: room && pq_starved -> withdraw(); pq_busy = true
		:: else
		fi;
		room = false;
		if
		:: seems_asleep(0) -> worker[0].asleep = true
		:: else
		fi;
		if
		:: seems_asleep(1) -> worker[1].asleep = true
		:: else
		fi;
		if
		:: pq_busy ->
			if
			:: sends_deferred -> take_deferred()
			:: else
			fi;
			if
			:: !any_queued || pq_starved -> pq_busy = false
			:: else -> offer()
			fi
		:: else
		fi;
		if
		:: starts_worker && any_parked -> unpark()
		:: starts_worker && may_add -> more_workers()
#ifdef CROWD
		/* No group was begun for a while. */
		:: pq_ready && !starts_worker && nr_active < 2 && may_add ->
			more_workers()
#endif
		:: else
		fi;
#ifdef BROKEN_AGAIN
		again = false;
#else
		again = pq_busy;
#endif
		monitoring = again;
		if
		:: !again && any_parked -> unpark()
		:: else
		fi
	   };
	   send_deferred();
	   atomic {
		if
		:: !again -> put_dev()
		:: else
		fi;
		again = false
	   }
	od
}

/* Stands for: iopf_monitor_stop iopf_pool_leave */
inline stop_monitor()
{
	if
	:: dev_starved -> dev_starved = false; put_dev()
	:: else
	fi;
#ifndef BROKEN_PARKED
	if
	:: any_parked -> unpark()
	:: else
	fi;
#endif
	if
	:: monitoring == true -> monitoring = CANCELLED; put_dev()
	/* It runs already. */
	:: true
	fi
}

/*
 * @nr: a PASID queue, or 0 for all. wait_event() adds itself to the wait queue before
 *	it reads the condition.
 *
 * Stands for: iopf_wait_responding
 */
inline wait_responses(me, nr)
{
	atomic {
		for (g : 0 .. NR_GROUPS - 1) {
			if
			:: prg[g].unsent && (!nr || prg[g].pq == nr) ->
				prg[g].counted[me] = true;
				flush_responding[me]++
			:: else
			fi
		}
		g = 0;
		assert(flush_responding[me] == (nr -> pq_responding : responding));
#ifndef BROKEN_FLUSHING
		flushing[me] = true
#endif
	};
	do
	:: woken[me] = false;
	   if
	   :: !flush_responding[me] -> break
	   :: else -> woken[me]
	   fi
	od;
	atomic { flushing[me] = false }
}

/*
 * Under the lock: claim all groups. Their responses must be sent before the caller
 * returns.
 */
inline claim_all(me)
{
	for (g : 0 .. NR_GROUPS - 1) {
		if
		:: prg[g].in_table && prg[g].owner != CLAIMED ->
			claim_early(g);
			mine[g] = true
		:: else
		fi;
		prg[g].must[me] = prg[g].unsent
	}
	g = 0;
	interrupt_pq();
	take_deferred()
}

#define none_left(me)	(!prg[0].must[me] && !prg[1].must[me] && !prg[2].must[me])

/* What iopf_send() does with a list */
inline send_mine()
{
	do
	:: g < NR_GROUPS && mine[g] -> mine[g] = false; send(g); g++
	:: g < NR_GROUPS && !mine[g] -> g++
	:: g == NR_GROUPS -> g = 0; break
	od
}

/*
 * The driver takes the PASID away from process 1, which exits. Process 2 gets it as
 * soon as it is free. UNBIND: the driver does not flush.
 *
 * Stands for: iopf_queue_flush_pasid iopf_device_get iopf_cancel_all iopf_cancel_pq
 *	iopf_discard_unfinished iopf_cancel_list
 */
proctype unbinder()
{
	bool mine[NR_GROUPS];
	byte g;
	byte f;
	byte pq;
	bool won;
	mtype was;

	/* The PASID sends no more requests, and all that it has sent are reported. */
	interrupted = true;
#ifndef BROKEN_DRAIN
	!reporting;
#endif
#ifdef FLUSH
	atomic {
		if
		:: published -> dev_users++
		:: else -> goto detach
		fi
	};
	atomic {
		use_dev();
		if
		:: pq_live ->
			pq = pq_nr;
			hold_pq();
			claim_all(0)
		:: else
		fi
	};
	if
	:: pq ->
		send_mine();
#ifndef BROKEN_FLUSH
		wait_responses(0, pq);
#endif
		assert(none_left(0));
		atomic {
			drop_pq(pq);
			pq = 0
		}
	:: else
	fi;
	atomic { put_dev() };
#endif
detach:	handle = 0;
	/* The domain goes first, then the process. */
	atomic { drop_mm(1) };
	atomic {
		put_mm(1);
#ifdef BROKEN_PASID
		owner = 0
#endif
	};
#ifdef UNBIND
endless:
#endif
	atomic {
		!owner ->
		for (g : 0 .. NR_GROUPS - 1) {
			assert(!prg[g].live || prg[g].mm != 1)
		}
		g = 0;
		owner = 2;
		mm_users[2] = 1;
		mm_count[2] = 2;
#ifndef HANDLER
		handle = 2;
#endif
		rebound = true;
		interrupted = false
	}
}

/*
 * A flush for another PASID, where the driver cannot name it. The device continues.
 *
 * Stands for: iopf_queue_flush_dev iopf_cancel_faulting
 */
proctype flusher()
{
	bool mine[NR_GROUPS];
	byte g;
	byte f;
	bool won;
	mtype was;

	atomic {
		if
		:: published -> dev_users++
		:: else -> goto none
		fi
	};
	atomic {
		use_dev();
		for (g : 0 .. NR_GROUPS - 1) {
			if
			:: prg[g].owner == QUEUED || prg[g].owner == WORKER ->
				claim_early(g);
				mine[g] = true
			:: else
			fi;
			prg[g].must[0] = prg[g].unsent
		}
		g = 0;
		interrupt_pq();
		take_deferred()
	};
	send_mine();
	wait_responses(0, 0);
	assert(none_left(0));
	atomic { put_dev() };
none:	skip
}

/*
 * Stands for: iopf_queue_remove_device iopf_device_unlink iopf_timeout_stop
 *	iopf_wait_responses
 */
proctype remover()
{
	bool mine[NR_GROUPS];
	byte g;
	byte f;
	bool won;
	mtype was;

	published = false;
	atomic {
		dev_dead = true;
		claim_all(1)
	};
	send_mine();
	atomic { stop_monitor() };
#ifdef DEADLINE
	/* cancel_delayed_work() */
	atomic {
		if
		:: timeout_work -> timeout_work = false; put_dev()
		:: else
		fi
	};
#endif
	wait_responses(1, 0);
	atomic {
		use_dev();
		assert(none_left(1));
		for (g : 0 .. NR_GROUPS - 1) {
			assert(!prg[g].in_table)
		}
		g = 0;
		removed = true;
		table_live = false
	};
	atomic { put_dev() }
}

/*
 * Any group may time out at any time. The worker that handles it continues to sleep.
 *
 * Stands for: iopf_timeout_fn iopf_time_out_list iopf_time_out
 */
proctype time_out()
{
	bool mine[NR_GROUPS];
	bool forgotten[NR_GROUPS];
	byte g;
	byte f;
	bool again;
	bool won;
	mtype was;

end:	do
	:: atomic {
		timeout_work ->
		timeout_work = false;
		use_dev();
		take_deferred();
		for (g : 0 .. NR_GROUPS - 1) {
			if
			:: prg[g].in_table && prg[g].owner != ASSEMBLING &&
			   prg[g].owner != CLAIMED ->
#ifdef BROKEN_SLEEP
				claim_early(g);
#else
				claim(g, won);
				won = false;
#endif
				mine[g] = true
			:: prg[g].in_table && prg[g].owner == ASSEMBLING ->
				claim_early(g);
				forgotten[g] = true
			:: true
			fi
		}
		g = 0;
		again = !dev_dead && (prg[0].in_table || prg[1].in_table ||
				      prg[2].in_table);
		if
		:: again -> timeout_work = true
		:: else -> timeout_armed = false
		fi
	   };
	   send_mine();
	   do
	   :: g < NR_GROUPS && forgotten[g] -> forgotten[g] = false; forget(g); g++
	   :: g < NR_GROUPS && !forgotten[g] -> g++
	   :: g == NR_GROUPS -> g = 0; break
	   od;
	   atomic {
		if
		:: !again -> put_dev()
		:: else
		fi;
		again = false
	   }
	od
}

/*
 * The handler of another domain owns a group. It responds, or never does.
 *
 * Stands for: iopf_group_response iopf_free_group
 */
proctype handler()
{
	byte g = NONE;
	bool won;

end:	do
	:: atomic { handler_prg != NONE -> g = handler_prg; handler_prg = NONE };
	   if
	   :: response(g)
	   :: true
	   fi;
	   atomic {
		put_group(g);
#ifdef BROKEN_HANDLER
		put_group(g);
#endif
		g = NONE
	   }
	od
}

#define sleeps_on(w)	(worker[w].sleep == SLEEPS_ON)
#define is_handled(g)	\
	((worker[0].prg == g && sleeps_on(0)) ||			\
	 (worker[1].prg == g && sleeps_on(1)))
#define waits_for(w, g)	(prg[g].follows == w && sleeps_on(w))
#define has_no_room	\
	(nr_free == 0 || refuses_sleeper)

/*
 * A fault that is never served does not end. It delays groups that wait for the same
 * page, and, without a free worker, all others.
 */
#define is_held_up(g)	\
	(is_handled(g) || waits_for(0, g) || waits_for(1, g) ||		\
	 (is_queued(g) && has_no_room) || prg[g].owner == ASSEMBLING)

/* When no process can continue, there must be no work left. */
proctype verdict()
{
	byte i;

	timeout;
	assert(!responding && !any_deferred);
	assert(worker[0].state == FREE || sleeps_on(0));
	assert(worker[1].state == FREE || sleeps_on(1));
	for (i : 0 .. NR_GROUPS - 1) {
		assert(!prg[i].live || is_held_up(i))
	}
#if defined(DEADLINE) || defined(REMOVAL)
	/*
	 * Only workers that still sleep are left, and their groups have had a response.
	 */
	assert(!owed[0] && !owed[1] && !more_owed);
	for (i : 0 .. NR_GROUPS - 1) {
		assert(!prg[i].live || prg[i].owner == CLAIMED)
	}
#endif
#ifdef REMOVAL
	assert(removed && !dev_users);
	assert(!prg[0].live && !prg[1].live && !prg[2].live);
#else
	assert(dev_users >= 1 && !monitoring);
#endif
#ifdef FLUSH
	assert(rebound && !mm_count[1]);
#endif
#ifdef UNBIND
	/* Without a flush the sleepers stay. */
	assert(rebound || sleeps_on(0) || sleeps_on(1));
#endif
	i = 0
}

init {
	atomic {
		mm_users[1] = 1;
		mm_count[1] = 2;
		owner = 1;
#ifdef HANDLER
		run handler();
#else
		handle = 1;
#endif
		run reporter();
#ifndef HANDLER
		run thread(0);
		run thread(1);
		run monitor();
#endif
#ifdef OTHERS
		run other();
#if OTHERS > 1
		run other();
#endif
#endif
#ifdef FLUSH_DEV
		run flusher();
#endif
#ifdef DEADLINE
		run time_out();
#endif
#if defined(FLUSH) || defined(UNBIND)
		run unbinder();
#endif
#ifdef REMOVAL
		run remover();
#endif
		run verdict()
	}
}
