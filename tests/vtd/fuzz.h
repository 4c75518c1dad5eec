/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d's page request queue against a model of the hardware: private structures
 *
 *	wire.c      the descriptors of three revisions, as tables, and what they mean
 *	device.c    devices that send page requests, and requests in flight
 *	hardware.c  registers and ring, overflow, reset
 *	queue.c     the invalidation queue: responses, drains
 *	kernel.c    other functions that the driver calls: devices, the interrupt thread
 *	library.c   groups and their responses, in place of the library
 *	ledger.c    responses that must be sent
 *	sched.c     threads: the interrupt's, those that drain, one that responds
 *	steps.c     runs the input, a step at a time, and checks the end
 *	check.c     the checks, how often they ran, and what a failed one does
 *	main.c      fixed seeds, and inputs from files; libFuzzer has its own main
 *
 * The driver's sources except driver.c are built unmodified, with small headers of our own
 * in stubs/. The bytes of the input determine everything that happens, so an input that has
 * found something finds it again.
 */
#ifndef VTD_FUZZ_H
#define VTD_FUZZ_H

#include <linux/types.h>

#include "prq.h"

#define NR_REVISIONS	3
#define NR_RIDS		11	/* requesters; those beyond NR_KNOWN are never known */
#define NR_KNOWN	4
#define NR_PASIDS	5	/* the first of them stands for none */
#define NR_INDICES	6
#define MAX_POSTS	8192
#define MAX_SLOTS	256

/* check.c */

enum check {
	CHECK_DECODE,
	CHECK_ENCODE,
	CHECK_REPORTED,
	CHECK_RING,
	CHECK_HEAD,
	CHECK_OVERFLOW,
	CHECK_OWED,
	CHECK_SUBMISSION,
	CHECK_GROUP,
	CHECK_WAITED,
	CHECK_DRAINED,
	CHECK_BLAMED,
	CHECK_RESET,
	CHECK_ENDS,
	CHECK_CONTEXT,
	CHECK_COUNTERS,
	CHECK_QUIET,
	NR_CHECKS,
};

extern const char *const check_names[NR_CHECKS];
extern u64 check_counts[NR_CHECKS];
extern bool check_ignored[NR_CHECKS];
extern bool verbose;

/* Called before a finding ends the program */
extern void (*on_finding)(void);

void finding(enum check check, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The other arguments are a message for printf(), printed if @condition is false. */
#define expect(check, condition, ...) \
	do { \
		check_counts[check]++; \
		if (!(condition) && !check_ignored[check]) \
			finding(check, __VA_ARGS__); \
	} while (0)

/* wire.c */

/**
 * struct wire_request - a page request, as a device means it
 * @bus: bus of the requester
 * @devfn: device and function of the requester
 * @pasid_present: it has a PASID
 * @pasid: the PASID, garbage without one
 * @index: Page Request Group Index
 * @last: the last request of its group
 * @read: read access
 * @write: write access
 * @execute: execute access, garbage without a PASID
 * @privileged: privileged access, garbage without a PASID
 * @streaming: revision 2: it needs a response of its own
 * @private_present: revision 3: it has private data
 * @private_data: returned with the response; revision 2: 23 bits
 * @page: the address in pages
 */
struct wire_request {
	u8 bus;
	u8 devfn;
	bool pasid_present;
	u32 pasid;
	u16 index;
	bool last;
	bool read;
	bool write;
	bool execute;
	bool privileged;
	bool streaming;
	bool private_present;
	u64 private_data[2];
	u64 page;
};

/* The response that the driver must send to a request */
enum owed {
	OWED_NOTHING,
	OWED_BY_GROUP,
	OWED_BY_ITSELF,
};

void wire_request_write(enum vtd_prq_format rev, const struct wire_request *req,
			u64 noise, struct vtd_prq_desc *desc);
void wire_response_write(enum vtd_prq_format rev, const struct wire_request *req,
			 enum iommu_page_response_code code,
			 struct vtd_prq_desc *desc);
bool wire_is_stop_marker(const struct wire_request *req);
enum owed wire_owed(enum vtd_prq_format rev, const struct wire_request *req);
bool wire_is_refused(const struct wire_request *req);
bool wire_is_stream(const struct vtd_prq_desc *response);
bool wire_has_pasid(const struct vtd_prq_desc *response);
void wire_check_event(enum vtd_prq_format rev, const struct wire_request *req,
		      u16 rid, const struct iopf_request *request, bool refused);
void wire_check_raw(void);

/* device.c */

/**
 * struct post - a page request in flight or in the ring
 * @req: the request
 * @rid: number of its requester
 * @pasid: number of its PASID
 * @index: number of its group index
 * @generation: the use of the index that it belongs to
 * @owed: number of the response that it must have, or -1
 * @reported: it was reported, or will not be
 */
struct post {
	struct wire_request req;
	unsigned int rid;
	unsigned int pasid;
	unsigned int index;
	unsigned int generation;
	int owed;
	bool reported;
};

extern const u16 rids[NR_RIDS];
extern const u32 pasids[NR_PASIDS];

void device_power_on(bool well_behaved);
void device_reset_all(void);
bool device_keeps_rules(void);
void device_send(unsigned int count);
void device_fill(unsigned int more);
void device_flood(bool on);
bool device_floods(void);
void device_overflow_cleared(void);
void device_delay(unsigned int requests);
void device_arrive_all(void);
const struct post *device_on_way(void);
bool device_is_sending(unsigned int rid, unsigned int pasid);
void device_pause_pasid(unsigned int rid, unsigned int pasid, int count);
bool device_disable(unsigned int rid);
void device_response(unsigned int rid, unsigned int pasid, unsigned int index);

/* hardware.c */

/**
 * struct hardware - a VT-d unit and its requests
 * @rev: layout of its descriptors
 * @size: number of slots of the ring
 * @head: the head register
 * @tail: the tail register
 * @status: PRS
 * @interrupt: the interrupt thread is to run
 * @posts: requests that were put into the ring
 * @nr_posts: length of @posts
 * @nr_reported: how many of these were reported
 * @nr_lost: how many of these were lost by a reset
 * @nr_bad: how many of these are to be reported as invalid
 * @nr_overflows: how often the thread has cleared PRO
 * @nr_unsent: responses that the invalidation queue did not accept
 */
struct hardware {
	enum vtd_prq_format rev;
	unsigned int size;
	unsigned int head;
	unsigned int tail;
	u32 status;
	bool interrupt;
	struct post posts[MAX_POSTS];
	unsigned int nr_posts;
	unsigned int nr_reported;
	unsigned int nr_lost;
	unsigned int nr_bad;
	unsigned int nr_overflows;
	unsigned int nr_unsent;
};

extern struct hardware hw;

void hardware_power_on(enum vtd_prq_format rev, unsigned int size, u32 first,
		       u32 status);
void hardware_reset(void);
void hardware_power_off(void);
bool hardware_post(const struct post *post, u64 noise);
unsigned int hardware_room(void);
unsigned int hardware_done(void);
struct vtd_prq_desc *hardware_ring(void);
struct post *hardware_oldest_post(unsigned int rid);

unsigned int hardware_read_head(struct vtd_prq *prq);
unsigned int hardware_read_tail(struct vtd_prq *prq);
void hardware_write_head(struct vtd_prq *prq, unsigned int head);
u32 hardware_read_status(struct vtd_prq *prq);
void hardware_clear_status(struct vtd_prq *prq, u32 bits);

/* queue.c */

void queue_power_on(u8 refuses);
int queue_submit(struct vtd_prq *prq, struct vtd_prq_desc *descs,
		 unsigned int count);
int queue_drain(struct vtd_prq *prq, struct device *dev, u32 pasid);
void queue_drain_begins(void);
void queue_device_disabled(void);
void queue_check_given_up(void);

/* kernel.c */

struct device {
	unsigned int rid;
};

extern struct vtd_prq prq;

void kernel_power_on(void);
void kernel_suspend_and_resume(void);
bool kernel_devices_are_locked(void);
bool kernel_has_to_forget(void);
void kernel_overflow_cleared(void);
struct device *kernel_device(unsigned int rid);
unsigned int kernel_pasid_number(u32 pasid);

/* library.c */

void library_power_on(void);
void library_forget(void);
void library_take(const struct post *post, const struct iopf_request *request);
void library_come_and_go(unsigned int rid);
bool library_knows(unsigned int rid);
bool library_has_partial(void);
bool library_is_sending(unsigned int rid);
void library_respond(unsigned int count);
void library_flush(unsigned int rid, unsigned int pasid);
void library_flush_all(void);

/* ledger.c */

void ledger_reset(void);
int ledger_owe(const struct post *post);
void ledger_release(int number, enum iommu_page_response_code code);
void ledger_drop(int number);
int ledger_submit(const struct vtd_prq_desc *desc);
void ledger_sent(int number);
const struct post *ledger_find_open(int rid, int pasid);

/* sched.c */

enum fiber_number {
	FIBER_INTERRUPT,
	FIBER_DRAIN,
	FIBER_DRAIN_TOO,
	FIBER_RESPOND,
	NR_FIBERS,
	/* Runs while no fiber does. */
	NO_FIBER = NR_FIBERS,
};

void sched_power_on(void);
bool sched_is_live(enum fiber_number number);
bool sched_is_asleep(enum fiber_number number);
void sched_start(enum fiber_number number, void (*function)(void));
void sched_resume(enum fiber_number number, unsigned int turns);
bool sched_in_fiber(void);
enum fiber_number sched_current(void);
void sched_yield_until(bool (*condition)(unsigned int arg), unsigned int arg);
void sched_check_may_sleep(const char *where);

/* steps.c */

u8 input_byte(void);
u64 input_word(void);
bool input_is_over(void);
void steps_before_sleep(void);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* VTD_FUZZ_H */
