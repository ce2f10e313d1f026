// Where the model looked: the numbers, and the picture of them.
export { type AttendedToken, type Attention, attentionOf } from "./attention.ts";
export { drawAttention } from "./draw_attention.ts";
