using Payments.Domain.Database;

namespace Payments.Domain.Tests.Database;

public sealed class LaneChooserTests
{
    [Fact]
    public void Enter_AnyComingAndGoing_KeepsAKeyInOneLaneAndGivesNewOnesToWhoHasLeast()
    {
        const int Keys = 12;
        for (var seed = 1; seed <= 50; seed++)
        {
            var random = new Random(seed);
            var lanes = random.Next(1, 4);
            var chooser = new LaneChooser(lanes, Keys);
            var inside = new List<(int Key, int Lane)>();
            for (var step = 0; step < 500; step++)
            {
                if (inside.Count > 0 && random.Next(2) == 0)
                {
                    var at = random.Next(inside.Count);
                    chooser.Leave(inside[at].Key);
                    inside.RemoveAt(at);
                    continue;
                }

                var key = random.Next(Keys);
                var before = inside.ToList();
                var lane = chooser.Enter(key);
                inside.Add((key, lane));

                if (before.FindIndex(item => item.Key == key) is >= 0 and var there)
                    Assert.Equal(before[there].Lane, lane);
                else
                    Assert.Equal(Enumerable.Range(0, lanes).Min(l => before.Count(item => item.Lane == l)), before.Count(item => item.Lane == lane));
            }
        }
    }

    [Fact]
    public async Task Enter_FromManyThreads_NeverPutsOneKeyIntoTwoLanes()
    {
        var chooser = new LaneChooser(2, 4);
        var inside = new int[4, 2];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 20_000; i++)
            {
                var key = random.Next(4);
                var lane = chooser.Enter(key);
                Interlocked.Increment(ref inside[key, lane]);
                Assert.Equal(0, Volatile.Read(ref inside[key, 1 - lane]));
                Interlocked.Decrement(ref inside[key, lane]);
                chooser.Leave(key);
            }
        })));
    }
}
