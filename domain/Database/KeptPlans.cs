namespace Payments.Domain.Database;

/// <summary>
/// For transactions that find the rows of a list by their keys. Each statement keeps one plan, which looks rows up one by one whatever the
/// tables held when it was made. Planning anew costs as much as writing a small batch. A kept plan that was made while a table was empty
/// would otherwise always scan the whole table.
/// </summary>
internal static class KeptPlans
{
    /// <summary>
    /// Send it first in the transaction, in the round trip of its first statement. The settings end with the transaction.
    /// </summary>
    public const string Use =
        """
        SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true)
        """;
}
