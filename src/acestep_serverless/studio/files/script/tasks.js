// Which tasks can be asked for? What the live workers' engines do with the model that the form names; the others say why
// they cannot be had.

const NOBODY = "no worker here does it";

/** Why a task cannot be had, "" if it can; `byModel` has lists of tasks, under "" for a request that names no model. */
export function refusal(task, byModel, model) {
  const named = Object.keys(byModel).filter((name) => name && byModel[name].includes(task));
  const chosen = byModel[Object.hasOwn(byModel, model) ? model : ""];
  if (chosen.includes(task)) return "";
  return named.length ? `only with the model ${named.join(" or ")}` : NOBODY;
}

/** Let a select offer exactly the tasks that can be had; where nothing is known of the engines (null), all. */
export function offerTasks(select, byModel, model) {
  if (!byModel) return;
  for (const option of select.options) {
    if (!option.value) continue; // The default task: every engine does it.
    const reason = refusal(option.value, byModel, model);
    option.disabled = Boolean(reason);
    option.textContent = reason ? `${option.value}: ${reason}` : option.value;
  }
}
