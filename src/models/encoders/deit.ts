// DeiT (Touvron et al. 2020), as transformers.DeiTModel: a ViT with a distillation token after the class token.
import type { Family, VisionEncoder } from "../family.ts";
import { zeros } from "../parameters/initial_values.ts";
import { buildVit, deriveVit, vitDefaults, vitInMemory } from "./vit.ts";

/** DeiT. */
export const deit: Family<VisionEncoder> = {
  defaults: { ...vitDefaults, model_type: "deit" },
  basePrefix: "deit",
  inMemory: vitInMemory,
  derive: deriveVit,
  build: (config) => buildVit(config, ["cls_token", "distillation_token"]),
  initial: (name) => /^embeddings\.(cls_token|distillation_token|position_embeddings)$/.test(name) ? zeros : undefined,
};
