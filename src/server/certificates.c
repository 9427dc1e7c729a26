/* Decides when files are loaded and what the log says about them; net/tls.c loads them. */
#include "server/certificates.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S           ((int64_t)24 * 60 * 60)
#define WARNING_AHEAD_S (30 * DAY_S)

static bool certificates_are_needed(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (config->listen[i].is_tls)
            return true;
    return false;
}

static void certificates_print_day(int64_t unix_s, char *out, size_t size)
{
    time_t time = (time_t)unix_s;
    struct tm parts;
    if (gmtime_r(&time, &parts) == NULL || strftime(out, size, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        snprintf(out, size, "%" PRId64 " s of Unix time", unix_s);
}

/* Warns if the certificate is about to expire: once a day, and of each certificate. */
static void certificates_warn(struct certificates *certificates, int64_t now_ms)
{
    int64_t expires_s = net_tls_counts(certificates->tls).expires_s;
    int64_t left_s = expires_s - now_ms / 1000;
    char day[64];
    if (left_s >= WARNING_AHEAD_S || (expires_s == certificates->warned_expires_s &&
                                      now_ms - certificates->warned_at_ms < DAY_S * 1000))
        return;
    certificates->warned_expires_s = expires_s;
    certificates->warned_at_ms = now_ms;
    certificates_print_day(expires_s, day, sizeof day);
    if (left_s <= 0)
        log_warning("the certificate in %s (--tls-cert) has expired, on %s: clients refuse it",
                    certificates->config->tls_cert, day);
    else
        log_warning("the certificate in %s (--tls-cert) expires in %" PRId64 " days, on %s",
                    certificates->config->tls_cert, left_s / DAY_S, day);
}

bool certificates_open(struct certificates *certificates, const struct config *config)
{
    char why[NET_TLS_WHY_SIZE];
    const struct net_tls_files files = {.cert = config->tls_cert,
                                        .key = config->tls_key,
                                        .client_ca = config->tls_client_ca,
                                        .client_certs = config->tls_client_certs};
    *certificates = (struct certificates){.config = config};
    if (!certificates_are_needed(config))
        return true;
    if (config->tls_cert[0] == '\0' || config->tls_key[0] == '\0') {
        log_fatal("keystore-server", "TLS needs a certificate and its key: --tls-cert and "
                                     "--tls-key; script/dev-certs makes some for a first try");
        return false;
    }
    certificates->tls = net_tls_new(&files, why);
    if (certificates->tls == NULL) {
        log_fatal("keystore-server", "%s", why);
        return false;
    }
    certificates_warn(certificates, clock_unix_ms());
    return true;
}

void certificates_close(struct certificates *certificates)
{
    net_tls_free(certificates->tls);
    certificates->tls = NULL;
}

void certificates_reload(struct certificates *certificates)
{
    char why[NET_TLS_WHY_SIZE], day[64];
    if (certificates->tls == NULL)
        return;
    if (!net_tls_reload(certificates->tls, why)) {
        log_error("the certificate and key for TLS stay as they were: %s", why);
        return;
    }
    certificates_print_day(net_tls_counts(certificates->tls).expires_s, day, sizeof day);
    log_info("new connections get the certificate in %s, which expires on %s",
             certificates->config->tls_cert, day);
}

void certificates_look(struct certificates *certificates, int64_t now_ms)
{
    if (certificates->tls == NULL)
        return;
    if (net_tls_has_changed(certificates->tls))
        certificates_reload(certificates);
    certificates_warn(certificates, now_ms);
}
