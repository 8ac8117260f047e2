namespace Payments.Domain.Database;

/// <summary>
/// For transactions that find the rows of a list by their keys: one plan for each statement, kept, which looks up row by row whatever the tables held when it was made. Planning anew costs as much
/// as the writing of a small batch, and a plan made while a table was empty would read it from end to end for as long as it is kept.
/// </summary>
internal static class KeptPlans
{
    /// <summary>Goes first into the transaction, in the round trip of its first statement; ends with it.</summary>
    public const string Use =
        """
        SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true)
        """;
}
