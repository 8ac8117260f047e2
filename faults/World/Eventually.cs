namespace Payments.Faults;

internal static class Eventually
{
    /// <summary>Looks again and again until it holds; errors on the way count as "not yet".</summary>
    /// <exception cref="TimeoutException">It never held; what was wrong at last is inside.</exception>
    public static async Task HoldsAsync(Func<Task<bool>> holds, TimeSpan patience, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        Exception? last = null;
        while (true)
        {
            try
            {
                if (await holds())
                    return;
            }
            catch (Exception e) when (e is not InvalidOperationException || e is Npgsql.NpgsqlOperationInProgressException)
            {
                last = e;
            }

            if (TimeProvider.System.GetElapsedTime(started) > patience)
                throw new TimeoutException($"Not within {patience.TotalSeconds:0} s: {what}.", last);
            await Task.Delay(50);
        }
    }
}
