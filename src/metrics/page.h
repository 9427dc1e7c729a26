/* The live page: page.html with page.css and page.js in it, compiled in by cmake/Page.cmake. */
#ifndef KEYSTORE_METRICS_PAGE_H
#define KEYSTORE_METRICS_PAGE_H

#include <stddef.h>

extern const unsigned char metrics_page[];
extern const size_t metrics_page_size;

/* Its Content-Security-Policy, which allows only the style and the script that are in it. */
extern const char metrics_page_policy[];

#endif
