// How much may be asked for: the limits and their defaults.
export { defaultLimits, type Demand, demand, type Limits, resolveLimits } from "./limits.ts";
export { type LimitedWork, withinTime } from "./time_limit.ts";
