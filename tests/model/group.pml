/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a page request group, as a model for spin
 *
 * One device with one PASID, two group indices and a lane with two workers. What
 * iopf/ does in one hold of iopf_dev.lock is one atomic step here, and between two
 * steps anybody may come. Each part names the functions that it stands for in
 * lines "Stands for:", and model.sh sees to it that iopf/ still has them.
 *
 * Checked, in every order of steps:
 *
 *   one answer      the device gets an answer for an index only while it waits for
 *                   one, and waits for none when all is quiet
 *   lifetimes       nobody touches a group, a lane, a device, an address space or an
 *                   attach handle after its last reference, and none is left over
 *   no lost wakeup  when nobody can go on any more, there is nothing left to do
 *   flush, removal  on return the answers begun before are out; after a removal
 *                   there are no others
 *   PASID reuse     a PASID gets a new owner only when no group of the old one is
 *                   left, and a fault goes to whom the device meant
 *
 * A scenario is a set of -D: DEADLINE, FLUSH, UNBIND, REMOVAL, HANDLER, SLEEP; see
 * model.sh. Each BROKEN_... breaks one thing, which spin has to notice.
 *
 * Not in the model: limits, the requests inside a group, and idle lanes, which are
 * freed at once here.
 */
#define NR_GROUPS	3
#define NR_INDICES	2
#define NR_WORKERS	2
#define NONE		15

#ifndef REPORTS
#define REPORTS		3
#endif

/* enum iopf_owner */
mtype = { ASSEMBLING, QUEUED, WORKER, DOMAIN, CLAIMED };

/*
 * struct iopf_grp; held: on iopf_lane.claimed. The last four are ours: whose memory
 * the device meant; the device waits for the answer; it is on its way; a flush or a
 * removal has to wait for it.
 */
typedef Group {
	bool live;
	byte users;
	mtype owner;
	bool in_table;
	bit index;
	byte mm;
	bool held;
	byte lane;
	bit phase;
	byte meant;
	bool last;
	bool unsent;
	bool must[2]
};

/* struct iopf_worker, its work item, and the thread that runs it. */
typedef Worker {
	bool scheduled;
	bool work;
	byte grp = NONE;
	bool notify;
	bool asleep;
	byte lane
};

Group grp[NR_GROUPS];
Worker worker[NR_WORKERS];

/* struct iopf_lane: another one has another number. */
byte lane_nr = 1;
bool lane_live;
byte lane_users;
byte lane_waiting;
bit lane_phase;
byte answering[2];

/* struct iopf_dev. Its first reference is the queue's. */
byte dev_users = 1;
bool dev_dead;
bool table_live = true;
bool published = true;
byte readers;
byte nr_flushing;
bool woken[2];
bool flush_lock;
bool watching;
bool watch_work;
bool removed;

/* The device's side: answers that it waits for, and what it may still send. */
byte owed[NR_INDICES];
byte left = REPORTS;
bool stopped;
byte reporting;

/* Two processes, 1 and 2; who has the PASID, what is attached to it. */
byte mm_users[3];
byte mm_count[3];
byte owner;
byte handle;

byte handler_grp = NONE;
bool rebound;

#define use_group(g)	assert(grp[g].live)
#define use_lane(nr)	assert(lane_live && lane_nr == nr)
/* Its memory goes after the last reference and the last RCU reader. */
#define use_dev()	assert(dev_users || readers)

/* Stands for: iopf_lane_use */
inline hold_lane()
{
	lane_users++
}

/* Stands for: iopf_lane_unuse iopf_lane_erase */
inline drop_lane(nr)
{
	use_lane(nr);
	assert(lane_users);
	lane_users--;
	if
	:: !lane_users ->
		assert(!answering[0] && !answering[1] && !lane_waiting);
		lane_live = false;
		lane_nr++
	:: else
	fi
}

/* Stands for: iopf_dev_put iopf_lanes_destroy */
inline put_dev()
{
	assert(dev_users);
	dev_users--;
	assert(dev_users || !lane_live)
}

/* mmdrop(): __mmdrop() gives the PASID back. */
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

/* Stands for: iopf_grp_put iopf_grp_drop */
inline put_group(g)
{
	use_group(g);
	assert(grp[g].users);
	grp[g].users--;
	if
	:: !grp[g].users ->
		assert(!grp[g].in_table && grp[g].owner == CLAIMED);
		grp[g].live = false;
#ifndef BROKEN_MMGRAB
		if
		:: grp[g].mm == 1 -> drop_mm(1)
		:: grp[g].mm == 2 -> drop_mm(2)
		:: else
		fi;
#endif
		grp[g].owner = 0;
		grp[g].index = 0;
		grp[g].mm = 0;
		grp[g].meant = 0;
		grp[g].lane = 0;
		grp[g].phase = 0;
		grp[g].last = false;
		put_dev()
	:: else
	fi
}

#ifdef BROKEN_DEAD
#define IS_DEAD		false
#else
#define IS_DEAD		dev_dead
#endif

/* Stands for: iopf_grp_find */
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
			:: grp[f].in_table && grp[f].index == idx -> found = f
			:: else
			fi
		}
	fi;
	f = 0
}

#define is_queued(g)	(grp[g].owner == QUEUED)
#define any_queued	(is_queued(0) || is_queued(1) || is_queued(2))
#define any_held	(grp[0].held || grp[1].held || grp[2].held)

/* Stands for: iopf_grp_set_owner iopf_grp_check_owner */
inline set_owner(g, to)
{
	assert((grp[g].owner == ASSEMBLING &&
		(to == QUEUED || to == DOMAIN || to == CLAIMED)) ||
	       (grp[g].owner == QUEUED && (to == WORKER || to == CLAIMED)) ||
	       (grp[g].owner == WORKER && to == CLAIMED) ||
	       (grp[g].owner == DOMAIN && to == CLAIMED));
	grp[g].owner = to
}

/* Stands for: iopf_worker_wanted iopf_worker_queue */
inline want_worker()
{
	if
#ifdef BROKEN_WANTED
	:: any_queued && !worker[0].scheduled && !worker[1].scheduled ->
#else
	:: (any_queued || any_held) && !lane_waiting ->
#endif
		f = (worker[0].scheduled -> (worker[1].scheduled -> NONE : 1) : 0);
		if
		:: f != NONE ->
			assert(!worker[f].work);
			worker[f].scheduled = true;
			worker[f].lane = lane_nr;
			worker[f].work = true;
			lane_waiting++;
			dev_users++;
#ifndef BROKEN_LANE_USE
			hold_lane()
#endif
		:: else
		fi
	:: else
	fi;
	f = 0
}

/* Stands for: iopf_claim iopf_grp_remove */
inline claim(g, won)
{
	use_group(g);
	if
#ifndef BROKEN_CLAIM
	:: grp[g].owner == CLAIMED -> won = false
	:: else ->
#else
	:: true ->
#endif
		use_lane(grp[g].lane);
#ifndef BROKEN_INDEX
		grp[g].in_table = false;
#endif
		/* The lane's reference */
		if
		:: grp[g].owner == QUEUED -> grp[g].users--; assert(grp[g].users)
		:: else
		fi;
#ifdef BROKEN_CLAIM
		grp[g].owner = CLAIMED;
#else
		set_owner(g, CLAIMED);
#endif
		grp[g].phase = lane_phase;
		answering[lane_phase]++;
		grp[g].unsent = true;
		won = true
	fi
}

/* Stands for: iopf_end_answers */
inline end_answer(g)
{
	use_group(g);
	use_dev();
	assert(answering[grp[g].phase]);
	answering[grp[g].phase]--;
	grp[g].unsent = false;
	grp[g].must[0] = false;
	grp[g].must[1] = false;
#ifdef BROKEN_INDEX
	grp[g].in_table = false;
#endif
	drop_lane(grp[g].lane);
	if
	:: nr_flushing -> woken[0] = true; woken[1] = true
	:: else
	fi
}

/* The driver's page_response(). Unfinished groups may be answered, too. */
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
		page_response(grp[g].index, grp[g].last)
	};
	atomic {
		end_answer(g);
		put_group(g)
	}
}

/* The same without an answer: IOPF_FORGET. */
inline forget(g)
{
	atomic {
		end_answer(g);
		put_group(g)
	}
}

/* Stands for: iopf_answer iopf_group_response */
inline answer(g)
{
	atomic { claim(g, won) };
	if
	:: won -> won = false; send(g)
	:: else
	fi
}

/* Stands for: iopf_claim_early iopf_worker_disturb */
inline claim_early(g)
{
	was = grp[g].owner;
	claim(g, won);
	won = false;
	if
	:: was == WORKER ->
#ifndef BROKEN_DISTURB
		if
		:: worker[0].grp == g -> worker[0].notify = true
		:: worker[1].grp == g -> worker[1].notify = true
		:: else
		fi
#endif
	:: else
	fi;
	was = 0
}

/*
 * The hardware, and the driver's interrupt thread. A device sends requests for an
 * index that waits for no answer.
 *
 * Stands for: iommu_report_device_fault iopf_report_run iopf_dev_rcu iopf_take
 *	iopf_begin_group iopf_grp_new iopf_lane_get iopf_find_handle iopf_watch
 *	iopf_grp_complete iopf_route iopf_lane_push iopf_deliver iopf_refuse
 */
proctype reporter()
{
	bit idx;
	bool last;
	byte g = NONE;
	byte h;
	byte meant;
	byte f;
	bool won;
	bool complete;

end:	do
	:: atomic {
		left && !stopped && (!owed[0] || !owed[1]) ->
		left--;
		reporting++;
		if
		:: !owed[0] -> idx = 0
		:: !owed[1] -> idx = 1
		fi;
		if
		:: last = true; owed[idx] = 1
		:: last = false
		fi;
		meant = owner
	   };
	   atomic {
		if
		:: published -> readers++
		:: else -> goto refuse
		fi
	   };
	   /* Under the lock, too, but that does not keep anybody from detaching. */
	   h = handle;
	   atomic {
		find(idx, g);
		if
		:: g == NONE && !IS_DEAD &&
		   !(grp[0].live && grp[1].live && grp[2].live) ->
			g = (grp[0].live -> (grp[1].live -> 2 : 1) : 0);
			use_dev();
			dev_users++;
			grp[g].live = true;
			grp[g].users = 1;
			grp[g].owner = ASSEMBLING;
			grp[g].index = idx;
			grp[g].meant = meant;
			lane_live = true;
			hold_lane();
			grp[g].lane = lane_nr;
			/* Callers keep the handle for us: see What the caller has to do. */
			assert(h == handle);
			if
			:: h ->
				assert(mm_count[h]);
				grp[g].mm = h;
#ifndef BROKEN_MMGRAB
				mm_count[h]++
#endif
			:: else
			fi;
			grp[g].in_table = true;
#ifdef DEADLINE
			if
#ifdef BROKEN_WATCH
			:: watching || last
#else
			:: watching
#endif
			:: else ->
				watching = true;
				watch_work = true;
				dev_users++
			fi
#endif
		:: else
		fi;
		h = 0;
		if
		:: g != NONE && grp[g].owner != ASSEMBLING ->
			/* -EEXIST: this device does not do that. */
			assert(false)
		:: g != NONE && grp[g].owner == ASSEMBLING && last ->
			use_lane(grp[g].lane);
			grp[g].last = true;
#ifndef BROKEN_REFERENCE
			grp[g].users++;
#endif
			if
			:: grp[g].mm ->
				set_owner(g, QUEUED);
				want_worker();
				g = NONE
			:: else -> set_owner(g, DOMAIN); complete = true
			fi;
			last = false
		:: g != NONE && grp[g].owner == ASSEMBLING && !last -> g = NONE
		:: else
		fi;
		readers--
	   };
	   if
	   :: complete ->
		complete = false;
		if
#ifdef HANDLER
		:: atomic { handler_grp == NONE -> use_group(g); handler_grp = g }
#endif
		:: true ->
			answer(g);
			atomic { put_group(g) }
		fi
	   :: else
	   fi;
refuse:	   atomic {
		/* A last request that made it into no group. */
		page_response(idx, last);
		last = false;
		g = NONE;
		meant = 0;
		idx = 0;
		reporting--
	   }
	od
}

/* Under the lock: the answers that the lane holds back are the caller's to send. */
inline take_held()
{
	for (f : 0 .. NR_GROUPS - 1) {
		mine[f] = grp[f].held;
		grp[f].held = false
	}
	f = 0
}

inline send_held()
{
	do
	:: f < NR_GROUPS && mine[f] -> mine[f] = false; send(f); f++
	:: f < NR_GROUPS && !mine[f] -> f++
	:: f == NR_GROUPS -> f = 0; break
	od
}

/*
 * A thread of the workqueue. It may have done its share after any group.
 *
 * Stands for: iopf_worker_fn iopf_worker_begin iopf_worker_step iopf_worker_claim
 *	iopf_worker_take iopf_worker_end iopf_lane_unqueue iopf_mm_enter iopf_fault_group
 *	iopf_mm_leave
 */
proctype thread(byte w)
{
	bool mine[NR_GROUPS];
	byte g = NONE;
	byte old = NONE;
	byte m;
	byte f;
	bool won;
	bool more;

end:	do
	:: atomic {
		worker[w].work ->
		worker[w].work = false;
		use_lane(worker[w].lane);
		use_dev();
		assert(lane_waiting);
		lane_waiting--;
		take_held();
		more = true
	   };
	   send_held();
step:	   atomic {
		use_lane(worker[w].lane);
		old = worker[w].grp;
		worker[w].grp = NONE;
		g = NONE;
		if
		:: old != NONE ->
#ifndef BROKEN_CLEAR
			worker[w].notify = false;
#endif
			claim(old, won);
			if
			:: won ->
				won = false;
				grp[old].held = true;
				grp[old].users--;
				assert(grp[old].users);
				old = NONE
			:: else
			fi;
			if
			:: more = false
			:: true
			fi
		:: else
		fi;
		if
		:: more && is_queued(0) -> g = 0
		:: more && is_queued(1) -> g = 1
		:: more && is_queued(2) -> g = 2
		:: else
		fi;
		if
		:: g != NONE ->
			use_group(g);
#ifndef BROKEN_OWNER
			set_owner(g, WORKER);
#endif
			worker[w].grp = g;
			want_worker()
		:: else
		fi;
		if
#ifdef BROKEN_HOLD
		:: g == NONE -> take_held()
#else
		:: g == NONE || !lane_waiting -> take_held()
#endif
		:: else
		fi
	   };
	   if
	   :: old != NONE -> atomic { put_group(old); old = NONE }
	   :: else
	   fi;
	   send_held();
	   if
	   :: g != NONE ->
		atomic {
			use_group(g);
			m = grp[g].mm;
			assert(mm_count[m] && m == grp[g].meant);
			/* A wake-up that was meant for another fault. */
			assert(!worker[w].notify || grp[g].owner == CLAIMED);
			if
			:: mm_users[m] -> mm_users[m]++
			:: else -> m = 0
			fi
		};
		if
		:: m ->
			/* It may take for ever, unless somebody disturbs it. */
			if
			:: true
#ifdef SLEEP
			:: worker[w].asleep = true;
endless:		   atomic { worker[w].notify -> worker[w].asleep = false }
#endif
			fi;
			atomic { put_mm(m); m = 0 }
		:: else
		fi;
#ifdef BROKEN_CLEAR
		worker[w].notify = false;
#endif
		goto step
	   :: else
	   fi;
#ifdef BROKEN_AGAIN
	   m = 0;
	   atomic {
		if
		:: false
#else
	   atomic {
		if
		:: any_queued ->
			lane_waiting++;
			worker[w].work = true
#endif
		:: else ->
			worker[w].scheduled = false;
#ifndef BROKEN_LANE_USE
			drop_lane(worker[w].lane);
#endif
			worker[w].lane = 0;
			put_dev()
		fi
	   }
	od
}

/* wait_event(): on the wait queue before it looks. */
inline wait_quiet(me, p)
{
	do
	:: woken[me] = false;
	   if
	   :: !answering[p] -> break
	   :: else -> woken[me]
	   fi
	od
}

/* Stands for: iopf_lane_wait_answers iopf_lane_quiet */
inline wait_answers(me)
{
	atomic { !flush_lock -> flush_lock = true };
	assert(!answering[1 - lane_phase]);
	atomic { old = lane_phase; lane_phase = 1 - old };
	wait_quiet(me, old);
	flush_lock = false;
	old = 0
}

/* Under the lock: all groups are the caller's, and the end of it waits for them. */
inline claim_all(me)
{
	for (g : 0 .. NR_GROUPS - 1) {
		if
		:: grp[g].in_table && grp[g].owner != CLAIMED ->
			claim_early(g);
			mine[g] = true
		:: else
		fi;
		grp[g].must[me] = grp[g].unsent
	}
	g = 0
}

#define none_left(me)	(!grp[0].must[me] && !grp[1].must[me] && !grp[2].must[me])

/* What iopf_send() does with a list. */
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
 * soon as it is free. UNBIND: a driver that forgets to flush.
 *
 * Stands for: iopf_queue_flush_pasid iopf_dev_get iopf_claim_all
 *	iopf_claim_partial iopf_claim_list
 */
proctype unbinder()
{
	bool mine[NR_GROUPS];
	byte g;
	byte lane;
	bit old;
	bool won;
	mtype was;

	/* The PASID sends nothing any more, and all it has sent is reported. */
	stopped = true;
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
		:: lane_live ->
			lane = lane_nr;
			hold_lane();
#ifndef BROKEN_FLUSHING
			nr_flushing++;
#endif
			claim_all(0)
		:: else
		fi
	};
	if
	:: lane ->
		send_mine();
#ifndef BROKEN_FLUSH
		wait_answers(0);
#endif
		assert(none_left(0));
		atomic {
			drop_lane(lane);
			nr_flushing--;
			lane = 0
		}
	:: else
	fi;
	atomic { put_dev() };
#endif
detach:	handle = 0;
	/* The domain goes, then the process. */
	atomic { drop_mm(1) };
	atomic {
		put_mm(1);
#ifdef BROKEN_PASID
		owner = 0
#endif
	};
	atomic {
		!owner ->
		for (g : 0 .. NR_GROUPS - 1) {
			assert(!grp[g].live || grp[g].mm != 1)
		}
		g = 0;
		owner = 2;
		mm_users[2] = 1;
		mm_count[2] = 2;
#ifndef HANDLER
		handle = 2;
#endif
		rebound = true;
		stopped = false
	}
}

/*
 * Stands for: iopf_queue_remove_device iopf_dev_unlink iopf_watch_stop
 *	iopf_wait_answers
 */
proctype remover()
{
	bool mine[NR_GROUPS];
	byte g;
	byte lane;
	bit old;
	bool won;
	mtype was;

	published = false;
	atomic {
		dev_dead = true;
		claim_all(1)
	};
	send_mine();
#ifdef DEADLINE
	/* cancel_delayed_work() */
	atomic {
		if
		:: watch_work -> watch_work = false; put_dev()
		:: else
		fi
	};
#endif
	atomic {
		nr_flushing++;
		if
		:: lane_live && (answering[0] || answering[1]) ->
			lane = lane_nr;
			hold_lane()
		:: else
		fi
	};
	if
	:: lane ->
		wait_answers(1);
		atomic { drop_lane(lane); lane = 0 }
	:: else
	fi;
	atomic { use_dev(); nr_flushing-- };
	atomic {
		assert(none_left(1));
		for (g : 0 .. NR_GROUPS - 1) {
			assert(!grp[g].in_table)
		}
		g = 0;
		removed = true;
		table_live = false
	};
	atomic { put_dev() }
}

/*
 * At any time any group may be overdue.
 *
 * Stands for: iopf_watch_fn iopf_claim_overdue
 */
proctype watch()
{
	bool mine[NR_GROUPS];
	bool forgotten[NR_GROUPS];
	byte g;
	bool again;
	bool won;
	mtype was;

end:	do
	:: atomic {
		watch_work ->
		watch_work = false;
		use_dev();
		for (g : 0 .. NR_GROUPS - 1) {
			if
			:: grp[g].in_table && grp[g].owner != ASSEMBLING &&
			   grp[g].owner != CLAIMED ->
				claim_early(g);
				mine[g] = true
			:: grp[g].in_table && grp[g].owner == ASSEMBLING ->
				claim_early(g);
				forgotten[g] = true
			:: true
			fi
		}
		g = 0;
		again = !dev_dead && (grp[0].in_table || grp[1].in_table ||
				      grp[2].in_table);
		if
		:: again -> watch_work = true
		:: else -> watching = false
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
 * Another domain's iopf_handler has taken a group over. It answers, or never does.
 *
 * Stands for: iopf_group_response iopf_free_group
 */
proctype handler()
{
	byte g = NONE;
	bool won;

end:	do
	:: atomic { handler_grp != NONE -> g = handler_grp; handler_grp = NONE };
	   if
	   :: answer(g)
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

#define asleep_in(idx)	\
	((worker[0].asleep && grp[worker[0].grp].index == idx) ||	\
	 (worker[1].asleep && grp[worker[1].grp].index == idx))

/* When nobody can go on any more, nobody may have anything left to do. */
proctype verdict()
{
	timeout;
#if defined(DEADLINE) || defined(REMOVAL)
	assert(!owed[0] && !owed[1]);
	assert(!worker[0].scheduled && !worker[1].scheduled);
	assert(!grp[0].live && !grp[1].live && !grp[2].live);
	assert(!lane_live && !nr_flushing);
#else
	/* What nobody serves has nobody to end it, but holds up nothing else. */
	assert(!owed[0] || asleep_in(0));
	assert(!owed[1] || asleep_in(1));
	assert(!any_queued);
#endif
#ifdef REMOVAL
	assert(removed && !dev_users);
#else
	assert(dev_users >= 1);
#endif
#if defined(FLUSH) || defined(UNBIND)
	assert(rebound && !mm_count[1])
#endif
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
#endif
#ifdef DEADLINE
		run watch();
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
