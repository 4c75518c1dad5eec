/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: messages, whose formats are checked
 */
#ifndef STUBS_LINUX_PRINTK_H
#define STUBS_LINUX_PRINTK_H

void stub_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define pr_err(...)			stub_print(__VA_ARGS__)
#define pr_warn(...)			stub_print(__VA_ARGS__)
#define pr_info(...)			stub_print(__VA_ARGS__)
#define pr_err_ratelimited(...)		stub_print(__VA_ARGS__)
#define pr_warn_ratelimited(...)	stub_print(__VA_ARGS__)
#define pr_info_ratelimited(...)	stub_print(__VA_ARGS__)

#endif /* STUBS_LINUX_PRINTK_H */
