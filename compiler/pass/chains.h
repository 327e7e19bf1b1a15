#ifndef RANKC_CHAINS_H
#define RANKC_CHAINS_H

/* Products of several factors, summed in the cheapest order: a rule of rewriting, see chains.c. */

#include "rules.h"

RuleFunction rule_chain;

#endif
